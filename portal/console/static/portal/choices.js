/* What Django draws to choose one of many, in the administration, has the name of its field: for screen readers, which
   otherwise hear "combo box" and nothing of what it is for. */
"use strict";

django.jQuery(() => {
  for (const field of document.querySelectorAll("select.admin-autocomplete")) {
    const [label] = field.labels;
    label.id = `${field.id}-label`;
    const drawn = field.nextElementSibling.querySelector("[role=combobox]");
    const chosen = drawn.querySelector("[role=textbox]");
    chosen.removeAttribute("role");
    chosen.removeAttribute("aria-readonly");
    drawn.setAttribute("aria-labelledby", `${label.id} ${chosen.id}`);
    drawn.setAttribute("aria-controls", `select2-${field.id}-results`);
    if (field.hasAttribute("aria-describedby")) {
      drawn.setAttribute("aria-describedby", field.getAttribute("aria-describedby"));
    }
    django.jQuery(field).on("select2:open", () => {
      const opened = document.querySelector("body > .select2-container--open");
      opened.setAttribute("role", "region");
      for (const part of [opened, ...opened.querySelectorAll("[type=search], [role=listbox]")]) {
        part.setAttribute("aria-labelledby", label.id);
      }
    });
  }
});
