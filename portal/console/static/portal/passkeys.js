// What allauth's script leaves to the page: who can use passkeys, and what to say when the device says no.
"use strict";

const show = (selector, visible = true) => {
  for (const element of document.querySelectorAll(selector)) element.hidden = !visible;
};

show("PublicKeyCredential" in window ? "[data-with-passkeys]" : "[data-without-passkeys]");

document.addEventListener("allauth.error", (event) => {
  event.preventDefault(); // or it would go to the console, where nobody looks
  show("[data-passkey-failed]");
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-with-passkeys] button")) show("[data-passkey-failed]", false);
});
