// A form for each model, made from its JSON Schema; what is submitted is asked for until it has finished.
// Everything from the server is shown as text, never as HTML.

const at = (id) => document.getElementById(id);
const finished = new Set(["succeeded", "failed", "cancelled", "expired"]);
const models = new Map();
let read = () => ({}); // the form's input, as its fields are now

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function tell(text) {
  at("trouble").textContent = text;
  at("trouble").hidden = !text;
}

async function call(path, options = {}) {
  const answer = await fetch(path, options);
  if (answer.ok || answer.status === 304) return answer;
  const problem = await answer.json().catch(() => ({ title: `Error ${answer.status}` }));
  const faults = (problem.errors ?? []).map((fault) => `${fault.path} ${fault.message}`);
  throw new Error([problem.detail ?? problem.title, ...faults].join("\n"));
}

// One field: [what is shown, a function that gives its value, or undefined where it is left empty].

const isFile = (schema) => schema.type === "object" && ["upload", "data"].some((name) => schema.properties?.[name]);

function field(schema, example) {
  const list = schema.type === "array" && schema.items?.type === "string";
  if (isFile(schema)) return drawing();
  if (schema.enum) return choice(schema.enum, schema.default ?? example);
  if (schema.type === "boolean") return checkbox(schema.default ?? example);
  if (schema.type === "number" || schema.type === "integer") return number(schema, schema.default ?? example);
  if (schema.type === "string") return text(example, (value) => value);
  if (list) return text(example?.join("\n"), (value) => value.split("\n").filter((line) => line.trim()), "One a line.");
  return text(example === undefined ? "" : JSON.stringify(example), JSON.parse, "JSON.");
}

function text(value, parse, hint = "") {
  const area = make("textarea", { value: value ?? "" });
  return [[area, make("small", { textContent: hint })], () => (area.value === "" ? undefined : parse(area.value))];
}

function number(schema, value) {
  const step = schema.type === "integer" ? "1" : "any";
  const input = make("input", { type: "number", step, value: value ?? "" });
  if (schema.minimum !== undefined) input.min = schema.minimum;
  if (schema.maximum !== undefined) input.max = schema.maximum;
  return [[input], () => (input.value === "" ? undefined : input.valueAsNumber)];
}

function choice(values, value) {
  const select = make("select", {}, ...values.map((one) => make("option", { textContent: String(one) })));
  select.selectedIndex = Math.max(values.indexOf(value), 0);
  return [[select], () => values[select.selectedIndex]];
}

function checkbox(value) {
  const input = make("input", { type: "checkbox", checked: Boolean(value) });
  return [[input], () => input.checked];
}

// A picture: drawn with a finger or the mouse, or a file of any kind instead.
function drawing() {
  const canvas = make("canvas", { width: 224, height: 224, ariaLabel: "Draw here" });
  const file = make("input", { type: "file" });
  const clear = make("button", { type: "button", textContent: "Clear" });
  const pen = canvas.getContext("2d");
  let drawn = false;
  const wipe = () => {
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    drawn = false;
    file.value = "";
  };
  Object.assign(pen, { lineWidth: 18, lineCap: "round", lineJoin: "round", strokeStyle: "#000" });
  wipe();
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pen.beginPath();
    pen.moveTo(event.offsetX, event.offsetY);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    drawn = true;
    pen.lineTo(event.offsetX, event.offsetY);
    pen.stroke();
  });
  clear.addEventListener("click", wipe);
  const value = async () => {
    if (file.files.length) return { data: await dataUrl(file.files[0]) };
    return drawn ? { data: canvas.toDataURL("image/png") } : undefined;
  };
  return [[canvas, file, clear], value];
}

function dataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}

// References lead into the schema's own $defs; of several possibilities the first that is not null is shown. What a
// schema says of itself (its title, say) goes before what it refers to.
function resolved({ $ref, ...own }, root) {
  if ($ref?.startsWith("#/$defs/")) return { ...resolved(root.$defs[$ref.slice(8)], root), ...own };
  if (own.type) return own;
  const options = (own.anyOf ?? own.oneOf ?? []).map((option) => resolved(option, root));
  return { ...(options.find(isFile) ?? options.find((option) => option.type !== "null")), ...own };
}

function showForm(model) {
  const root = model.input_schema;
  const schema = resolved(root, root);
  const version = model.versions.find((one) => one.default);
  at("about").textContent = `${model.description} (version ${version.version}, ${version.state})`;
  if (schema.type !== "object" || !schema.properties) {
    const [shown, value] = field({}, model.example ?? {});
    at("fields").replaceChildren(make("label", {}, "Input", ...shown));
    read = value;
    return;
  }
  const pictured = Object.values(schema.properties).some((part) => isFile(resolved(part, root)));
  const fields = Object.entries(schema.properties).map(([name, part]) => {
    const about = resolved(part, root);
    const [shown, value] = field(about, pictured ? undefined : model.example?.[name]);
    const title = make("span", { textContent: about.title ?? name });
    const hint = make("small", { textContent: about.description ?? "" });
    // Not a label around a picture: a click on it would open the choice of files.
    return { name, value, shown: make(isFile(about) ? "div" : "label", {}, title, hint, ...shown) };
  });
  at("fields").replaceChildren(...fields.map(({ shown }) => shown));
  read = async () => {
    const input = {};
    for (const { name, value } of fields) {
      const given = await value();
      if (given !== undefined) input[name] = given;
    }
    return input;
  };
}

function card(job) {
  const state = make("strong");
  const about = make("span");
  const progress = make("progress", { max: 1 });
  const output = make("pre");
  const cancel = make("button", { type: "button", textContent: "Cancel" });
  cancel.addEventListener("click", () => call(job.urls.cancel, { method: "POST" }).catch((error) => tell(error.message)));
  at("jobs").prepend(make("li", {}, state, about, progress, output, cancel));
  return (now) => {
    state.textContent = now.state;
    const place = now.queue_position ? `, number ${now.queue_position} in the queue` : "";
    about.textContent = `${now.model}${place}${now.progress?.message ? `: ${now.progress.message}` : ""}`;
    progress.hidden = cancel.hidden = finished.has(now.state);
    if (now.progress) progress.value = now.progress.fraction;
    else progress.removeAttribute("value");
    const shown = now.error ? now.error.message : now.result;
    output.textContent = shown === null ? "" : typeof shown === "string" ? shown : JSON.stringify(shown, null, 1);
  };
}

// Asks with the ETag of the last answer and lets the server wait for news, so each question brings some.
async function follow(job) {
  const show = card(job);
  let etag = "";
  for (show(job); !finished.has(job.state); ) {
    try {
      const answer = await call(`${job.urls.self}?wait=20`, { headers: { "If-None-Match": etag || '"none"' } });
      if (answer.status === 304) continue;
      etag = answer.headers.get("ETag");
      show((job = await answer.json()));
      tell("");
    } catch (error) {
      tell(error.message);
      await new Promise((resume) => setTimeout(resume, 2000));
    }
  }
}

at("model").addEventListener("change", () => showForm(models.get(at("model").value)));
at("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  tell("");
  try {
    const body = JSON.stringify({ model: at("model").value, input: (await read()) ?? {} });
    const headers = { "Content-Type": "application/json" };
    const answer = await call("/v1/jobs", { method: "POST", headers, body });
    follow(await answer.json());
  } catch (error) {
    tell(error.message);
  }
});

try {
  for (const model of (await (await call("/v1/models")).json()).models) models.set(model.name, model);
  at("model").replaceChildren(...[...models.keys()].map((name) => make("option", { textContent: name })));
  if (models.size) showForm(models.values().next().value);
  else tell("No model has been registered yet: start a worker.");
} catch (error) {
  tell(error.message);
}
