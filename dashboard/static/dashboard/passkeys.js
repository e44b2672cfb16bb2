// Says on the page why there is no passkey, where allauth's script would say it to the console alone.
"use strict";
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  document.getElementById("passkey-failed").hidden = false;
});
