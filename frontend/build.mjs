// Builds everything under static/dist from this folder, the templates and common/templatetags.
// The output is committed; tests/frontend/test_assets.py builds it again and compares. BUILD_TO=dir writes elsewhere.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { glyphs } from "./glyphs.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "..");
const modules = join(here, "node_modules");
const out = resolve(process.env.BUILD_TO ?? join(root, "static/dist"));

function filesUnder(folder, ending) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

// An icon is named by {% icon "x" %}, by icon="x" of another tag, or in _icons.py.
function iconNames() {
  const names = new Set();
  const note = (text, pattern) => [...text.matchAll(pattern)].forEach((match) => names.add(match[1]));
  for (const file of filesUnder(join(root, "templates"), ".html")) {
    note(readFileSync(file, "utf8"), /\bicon(?:\s+|=)"([a-z][a-z0-9-]*)"/g);
  }
  note(readFileSync(join(root, "common/templatetags/_icons.py"), "utf8"), /[:=] "([a-z0-9-]+)"/g);
  return [...names].sort();
}

function lucide(name) {
  const file = join(modules, "lucide-static/icons", `${name}.svg`);
  if (!existsSync(file)) throw new Error(`lucide has no icon "${name}"`);
  const svg = readFileSync(file, "utf8");
  const inside = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
  return inside.replace(/\s+/g, " ").replaceAll(" />", "/>").trim();
}

function sprite() {
  const symbols = iconNames().map((name) => `<symbol id="i-${name}" viewBox="0 0 24 24">${lucide(name)}</symbol>`);
  for (const [name, path] of Object.entries(glyphs)) symbols.push(`<symbol id="g-${name}" viewBox="0 0 24 24">${path}</symbol>`);
  const note = "<!-- i-*: Lucide, ISC and MIT, see icons.LICENSE.txt. g-*: ours. -->";
  return `<svg xmlns="http://www.w3.org/2000/svg">${note}\n${symbols.join("\n")}\n</svg>\n`;
}

async function scripts() {
  await build({
    entryPoints: ["theme", "app", "chart", "editor", "builder"].map((name) => join(here, "js", `${name}.js`)),
    outdir: out, bundle: true, minify: true, format: "iife", target: "es2022", legalComments: "none", logLevel: "warning",
  });
}

function styles() {
  const tailwind = join(modules, "@tailwindcss/cli/dist/index.mjs");
  execFileSync(process.execPath, [tailwind, "-i", join(here, "app.css"), "-o", join(out, "app.css"), "--minify"], { cwd: here, stdio: ["ignore", "ignore", "inherit"] });
}

function fonts() {
  for (const [name, family] of [["geist", "geist"], ["mono", "jetbrains-mono"]]) {
    const from = join(modules, "@fontsource-variable", family);
    cpSync(join(from, "files", `${family}-latin-wght-normal.woff2`), join(out, "fonts", `${name}.woff2`));
    cpSync(join(from, "LICENSE"), join(out, "fonts", `${name}.LICENSE.txt`));
  }
  cpSync(join(modules, "lucide-static/LICENSE"), join(out, "icons.LICENSE.txt"));
  cpSync(join(modules, "uplot/LICENSE"), join(out, "chart.LICENSE.txt"));
}

// A file's URL changes with its content, like that of every static file: config/static_files.py.
function addressed() {
  const css = join(out, "app.css");
  const digest = (name) => createHash("sha256").update(readFileSync(join(out, name))).digest("hex").slice(0, 10);
  writeFileSync(css, readFileSync(css, "utf8").replace(/url\((fonts\/[^)?]+)\)/g, (_, name) => `url(${name}?v=${digest(name)})`));
}

rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, "fonts"), { recursive: true });
fonts();
writeFileSync(join(out, "icons.svg"), sprite());
await scripts();
styles();
addressed();
