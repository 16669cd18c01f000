// Small helps on top of pages that work without them.
"use strict";

const SECONDS_SAID = 8; // long enough to read two lines

const find = (element, attribute) => document.querySelector(element.getAttribute(attribute));

// What came of a press of a button, for eyes and for screen readers.
let silence;
const say = (outcome) => {
  const said = document.querySelector("#said");
  said.textContent = said.dataset[outcome];
  clearTimeout(silence);
  silence = setTimeout(() => { said.textContent = ""; }, SECONDS_SAID * 1000);
};

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const source = find(copy, "data-copy");
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      say("copied");
    } catch {
      window.getSelection().selectAllChildren(source);
      say("selected");
    }
  }
  if (event.target.closest("[data-print]")) window.print();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A part of the page that is renewed takes the element with it that has the focus. htmx gives it back to the one with
// the same id; if there is none any more, it goes to the nearest part around it that is still there.
let around = [];
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!event.detail.shouldSwap || document.activeElement === document.body) return;
  around = [];
  for (let part = document.activeElement; part; part = part.parentElement) if (part.id) around.push(part.id);
});
document.addEventListener("htmx:afterSettle", () => {
  const part = around.map((id) => document.getElementById(id)).find(Boolean);
  around = [];
  if (!part || document.activeElement !== document.body) return;
  part.tabIndex = -1;
  part.focus({ preventScroll: true });
});

// A checkbox that a button waits for. Only the script disables the button: without it the server insists.
for (const box of document.querySelectorAll("[data-enables]")) {
  const button = find(box, "data-enables");
  const follow = () => { button.disabled = !box.checked; };
  box.addEventListener("change", follow);
  window.addEventListener("pageshow", follow);
  follow();
}

// A choice that counts at once. With the keyboard people pass by others on the way to theirs: there it counts with
// Enter or on leaving the field. Without the script the form's button sends it.
for (const choice of document.querySelectorAll("[data-submits]")) {
  let settled = choice.value;
  let typing = false;
  const submit = () => {
    if (choice.value === settled) return;
    settled = choice.value;
    choice.form.action += "#" + choice.id; // the next page shows what was changed, and goes on there
    choice.form.requestSubmit();
  };
  choice.addEventListener("keydown", (event) => {
    typing = event.key !== "Enter";
    if (!typing) submit();
  });
  choice.addEventListener("pointerdown", () => { typing = false; });
  choice.addEventListener("change", () => { if (!typing) submit(); });
  choice.addEventListener("blur", submit);
  if (window.location.hash === "#" + choice.id) choice.focus();
}

// Nobody finds a password by pressing Back.
window.addEventListener("pagehide", () => {
  for (const secret of document.querySelectorAll("[data-wipe]")) secret.textContent = "";
});
