// Runs once for each root, as the load event of its style sheet (see root.py). It is an attribute of that sheet.
const root = this.closest('.scenelens-widget'), name = 'data-lm-suppress-shortcuts';
// A widget may be taken away again before its sheet has loaded.
if (!root || root.hasAttribute(name)) return;
root.tabIndex = -1;
root.setAttribute(name, 'true');

// Keys that are pressed in the widget are no commands of the notebook.
const keep = event => {
  if (!root.contains(event.target)) return;
  const saves = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 's';
  for (const part of [root, event.target]) {
    if (saves) part.removeAttribute(name); else part.setAttribute(name, 'true');
  }
};
root.addEventListener('focusin', () => window.addEventListener('keydown', keep, true));
root.addEventListener('focusout', () => window.removeEventListener('keydown', keep, true));

// What ipywidgets does not say to a screen reader. Nothing is written that is there already, so that the
// observer below comes to rest.
const all = (part, what) => part.querySelectorAll(what);
const say = (part, key, value) => {
  if (part && value && part.getAttribute(key) !== value) part.setAttribute(key, value);
};
const text = part => part ? part.textContent.trim() : '';
const dress = () => {
  for (const status of all(root, '.scenelens-status')) say(status, 'role', 'status');
  for (const lost of all(root, '.scenelens-lost')) say(lost, 'role', 'alert');
  for (const icon of all(root, 'button i')) say(icon, 'aria-hidden', 'true');
  for (const button of all(root, 'button')) {
    const single = button.matches('.widget-toggle-button') && !button.closest('.widget-toggle-buttons');
    if (button.matches('.widget-toggle-button')) {
      say(button, 'aria-pressed', String(button.classList.contains('mod-active')));
    }
    if (!text(button)) say(button, 'aria-label', button.title);
    else if (single && button.title) say(button, 'aria-label', text(button) + ': ' + button.title);
  }
  for (const group of all(root, '.widget-toggle-buttons')) {
    say(group, 'role', 'group');
    say(group, 'aria-label', text(group.querySelector('.widget-label')) || group.title || 'choice');
  }
  for (const slider of all(root, '.widget-slider')) {
    const label = text(slider.querySelector('.widget-label')), readout = slider.querySelector('.widget-readout');
    const handle = slider.querySelector('.noUi-handle'), shown = text(readout);
    say(handle, 'aria-label', label);
    if (readout) {
      say(readout, 'role', 'textbox');
      say(readout, 'aria-label', label + ', as a number');
    }
    if (shown && isFinite(shown)) {
      say(handle, 'aria-valuenow', shown);
      say(handle, 'aria-valuetext', shown);
    }
  }
  for (const field of all(root, 'input[type=text], input[type=number], textarea')) {
    if (!text(field.labels && field.labels[0])) say(field, 'aria-label', field.title || field.placeholder);
  }
  const about = text(root.querySelector('.scenelens-error') ? null : root.querySelector('.scenelens-status'));
  for (const picture of all(root, 'img')) {
    const silent = picture.closest('.sl-tile');  // its button says what it is
    const words = about || 'picture';
    if (silent && !picture.hasAttribute('alt')) picture.setAttribute('alt', '');
    else if (!silent) say(picture, 'alt', words);
  }
};
new MutationObserver(dress).observe(root, {
  subtree: true, childList: true, characterData: true, attributes: true,
  attributeFilter: ['class', 'title', 'aria-valuenow'],
});
dress();
