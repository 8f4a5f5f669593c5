"""Tests that click, in a real browser."""
