// Two small things: forms with data-confirm ask first, and buttons with data-post send a request without
// leaving the page (the CSRF token goes into the X-CSRFToken header).
(function () {
  "use strict";

  document.addEventListener("submit", function (event) {
    var question = event.target.getAttribute("data-confirm");
    if (question && !window.confirm(question)) {
      event.preventDefault();
    }
  });

  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-post]");
    if (!button) {
      return;
    }
    event.preventDefault();
    button.disabled = true;
    fetch(button.getAttribute("data-post"), {
      method: "POST",
      credentials: "same-origin",
      headers: {
        "X-CSRFToken": document.querySelector("meta[name=csrf-token]").content,
        "X-Requested-With": "XMLHttpRequest",
        "Accept": "application/json"
      }
    }).then(function (answer) {
      if (!answer.ok) {
        throw new Error("status " + answer.status);
      }
      return answer.json();
    }).then(function (body) {
      button.dispatchEvent(new CustomEvent("crm:posted", { bubbles: true, detail: body }));
    }).catch(function () {
      button.disabled = false;
      window.alert("That did not work. Please reload the page and try again.");
    });
  });
}());
