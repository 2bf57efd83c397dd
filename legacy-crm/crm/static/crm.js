// Small things, and every page works without most of them: forms with data-confirm ask first; buttons with
// data-post send a request without leaving the page (the CSRF token goes into the X-CSRFToken header); what was
// done is crossed out; cards of the pipeline board can be dragged to another stage.
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

  document.addEventListener("crm:posted", function (event) {
    var row = event.target.closest("[data-activity]");
    if (!row || !event.detail.done) {
      return;
    }
    row.classList.add("is-done");
    row.querySelector("[data-state]").innerHTML = '<span class="badge badge-done">Done</span>';
    event.target.remove();
    var card = row.closest(".card");
    var count = card && card.querySelector("[data-count]");
    if (count) {
      count.textContent = Math.max(0, Number(count.textContent) - 1);
    }
  });

  var dragged = null;

  function columnOf(event) {
    return dragged && event.target.closest ? event.target.closest("[data-stage]") : null;
  }

  function mark(column) {
    Array.prototype.forEach.call(document.querySelectorAll(".drop"), function (other) {
      other.classList.remove("drop");
    });
    if (column) {
      column.classList.add("drop");
    }
  }

  document.addEventListener("dragstart", function (event) {
    dragged = event.target.closest("[data-move]");
    if (dragged) {
      dragged.classList.add("dragged");
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", "");
    }
  });

  document.addEventListener("dragover", function (event) {
    var column = columnOf(event);
    if (column) {
      event.preventDefault();
      mark(column);
    }
  });

  document.addEventListener("dragend", function () {
    if (dragged) {
      dragged.classList.remove("dragged");
    }
    dragged = null;
    mark(null);
  });

  document.addEventListener("drop", function (event) {
    var column = columnOf(event);
    if (!column || column.contains(dragged)) {
      return;
    }
    event.preventDefault();
    var form = document.createElement("form");
    form.method = "post";
    form.action = dragged.getAttribute("data-move");
    var values = {
      csrf_token: document.querySelector("meta[name=csrf-token]").content,
      stage_id: column.getAttribute("data-stage"),
      back: "board"
    };
    Object.keys(values).forEach(function (name) {
      var input = document.createElement("input");
      input.type = "hidden";
      input.name = name;
      input.value = values[name];
      form.appendChild(input);
    });
    document.body.appendChild(form);
    form.submit();
  });
}());
