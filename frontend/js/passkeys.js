// <form data-passkey="make|use|login" data-passkey-options="id of a JSON script"> with [name=credential] and [data-passkey-go]:
// the button asks the browser for a key, puts its answer into the form and sends it. "login" fetches its options from the action.
import { fresh } from "./once.js";

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
const described = (list) => list?.map((one) => ({ ...one, id: bytes(one.id) }));

async function make({ publicKey }, alone) {
  const asked = { ...publicKey.authenticatorSelection, residentKey: alone ? "required" : "discouraged", requireResidentKey: alone };
  if (alone) asked.userVerification = "required";
  const made = await navigator.credentials.create({
    publicKey: {
      ...publicKey, challenge: bytes(publicKey.challenge), authenticatorSelection: asked,
      user: { ...publicKey.user, id: bytes(publicKey.user.id) }, excludeCredentials: described(publicKey.excludeCredentials),
    },
  });
  const said = made.response;
  return {
    ...common(made),
    response: { ...answered(said), attestationObject: text(said.attestationObject), transports: said.getTransports?.() ?? [] },
  };
}

async function use({ publicKey }) {
  const found = await navigator.credentials.get({
    publicKey: { ...publicKey, challenge: bytes(publicKey.challenge), allowCredentials: described(publicKey.allowCredentials) },
  });
  const { authenticatorData, signature, userHandle } = found.response;
  return {
    ...common(found),
    response: {
      ...answered(found.response), authenticatorData: text(authenticatorData), signature: text(signature),
      userHandle: userHandle ? text(userHandle) : null,
    },
  };
}

const answered = (response) => ({ clientDataJSON: text(response.clientDataJSON) });
const common = (key) => ({
  type: key.type, id: key.id, rawId: text(key.rawId), authenticatorAttachment: key.authenticatorAttachment,
  clientExtensionResults: key.getClientExtensionResults(),
});

async function options(form) {
  if (form.dataset.passkey !== "login") return JSON.parse(document.getElementById(form.dataset.passkeyOptions).textContent);
  const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error("The server is too busy. Try again in a minute.");
  return (await answer.json()).request_options;
}

function why(problem) {
  switch (problem.name) {
    case "NotAllowedError": return "It was cancelled, or took too long. Try again.";
    case "InvalidStateError": return "This one has already been added.";
    case "SecurityError": return `Browsers give keys only to sites with a name, over https. This page is at ${location.host}: open it by its name (on your own machine: localhost).`;
    default: return problem.message;
  }
}

async function go(form) {
  const said = form.querySelector("[data-passkey-said]");
  said.hidden = true;
  try {
    const asked = await options(form);
    const key = form.dataset.passkey === "make" ? await make(asked, form.elements.passwordless.checked) : await use(asked);
    form.elements.credential.value = JSON.stringify(key);
    form.requestSubmit();
  } catch (problem) {
    said.querySelector("[data-words]").textContent = why(problem);
    said.hidden = false;
  }
}

export function startPasskeys(scope) {
  for (const form of fresh(scope, "form[data-passkey]", "passkeyOn")) {
    const button = form.querySelector("[data-passkey-go]");
    button.hidden = !window.PublicKeyCredential;
    // One at a time: a second question to the server makes the first one's answer worthless.
    let going = null;
    button.addEventListener("click", () => { going ??= go(form).finally(() => { going = null; }); });
  }
}
