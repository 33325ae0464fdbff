"use strict";

const place = document.getElementById("calls");

window.SwaggerUIBundle({
  url: place.dataset.description,
  domNode: place,
  presets: [window.SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  validatorUrl: null, // the page asks no other origin
  tryItOutEnabled: true,
  requestSnippetsEnabled: false,
});
