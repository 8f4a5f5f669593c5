"""workbook/widgets."""
