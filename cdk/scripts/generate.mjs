// Makes src/generated/ and assets/ of Windlass's own sources: typed service specs of the JSON Schema that the
// `windlass` command prints, the constructs' properties of the templates' parameters, and the templates that
// the constructs hold. So there is no second list of any.
//
//   node scripts/generate.mjs SCHEMA.json WINDLASS_TEMPLATE.json CLUSTER_TEMPLATE.json

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const [schema, windlass, cluster] = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, 'utf8')));
const WARNING = '// Made by scripts/generate.mjs of Windlass\'s own sources: change those.\n';

const pascal = (snake) => snake.replace(/(^|[_-])([a-z0-9])/g, (_, __, letter) => letter.toUpperCase());
const camel = (text) => {
  const name = pascal(text);
  return name[0].toLowerCase() + name.slice(1);
};
const fail = (what) => {
  throw new Error(`the schema has something that this generator cannot say in TypeScript: ${what}`);
};

/** A doc comment, indented. */
function doc(lines, indent = '') {
  const said = lines.filter((line) => line !== undefined && line !== '');
  // Rust's links between items lead nowhere here.
  const text = said.flatMap((line) => String(line).replaceAll('*/', '* /').replace(/\[(`[^`]*`)\]/g, '$1').split('\n'));
  return text.length === 0 ? '' : `${indent}/**\n${text.map((line) => `${indent} * ${line}\n`).join('')}${indent} */\n`;
}

// ---- service specs -------------------------------------------------------------------------------------------------

const definitions = schema.$defs;
const nameOf = (reference) => reference.replace('#/$defs/', '');
const isConst = (option) => 'const' in option && typeof option.const === 'string';
const isStruct = (option) => option.type === 'object' && 'properties' in option;

/** How a definition is said: an alias of a simple type, an enum, a struct, or a choice of enum and struct. */
const kinds = Object.fromEntries(Object.entries(definitions).map(([name, it]) => [name, kind(name, it)]));

function kind(name, it) {
  const options = it.oneOf ?? it.anyOf;
  if (options !== undefined) {
    const constants = options.filter(isConst);
    const structs = options.filter(isStruct);
    const others = options.filter((option) => !isConst(option) && !isStruct(option));
    return { what: 'choice', constants, structs, others };
  }
  if (isStruct(it)) return { what: 'struct' };
  if (['string', 'number', 'integer', 'boolean'].includes(it.type)) return { what: 'alias', type: simple(it.type) };
  return fail(`${name}: ${JSON.stringify(it)}`);
}

function simple(type) {
  return type === 'integer' ? 'number' : type;
}

/** The TypeScript type of a property, and the struct that its keys are renamed by. */
function typeOf(it, where) {
  if (it.$ref !== undefined) return reference(nameOf(it.$ref));
  if (it.anyOf !== undefined) {
    const some = it.anyOf.filter((option) => option.type !== 'null');
    return some.length === 1 ? typeOf(some[0], where) : fail(where);
  }
  const type = Array.isArray(it.type) ? it.type.find((one) => one !== 'null') : it.type;
  if (type === 'array') {
    const item = typeOf(it.items, where);
    return { type: `${item.type.includes('|') ? `(${item.type})` : item.type}[]`, shape: item.shape };
  }
  if (type === 'object' && it.additionalProperties !== undefined && it.additionalProperties !== false) {
    const value = typeOf(it.additionalProperties, where);
    return value.shape === undefined ? { type: `{ [key: string]: ${value.type} }` } : fail(where);
  }
  return ['string', 'number', 'integer', 'boolean'].includes(type) ? { type: simple(type) } : fail(where);
}

function reference(name) {
  const it = kinds[name];
  if (it.what === 'alias') return { type: it.type };
  if (it.what === 'struct') return { type: name, shape: name };
  const types = [];
  if (it.constants.length > 0) types.push(name);
  if (it.structs.length > 0) types.push(choice(name, it));
  for (const other of it.others) types.push('const' in other ? typeof other.const : simple(other.type));
  return { type: [...new Set(types)].join(' | '), shape: it.structs.length > 0 ? choice(name, it) : undefined };
}

/** What the struct is called whose keys are the alternatives: apart from the enum's name where there is one. */
function choice(name, it) {
  return it.constants.length > 0 || it.others.length > 0 ? `${name}Choice` : name;
}

const shapes = {};

function struct(name, it) {
  const required = new Set(it.required ?? []);
  shapes[name] = {};
  const fields = Object.entries(it.properties).map(([key, property]) => {
    const where = `${name}.${key}`;
    const { type, shape } = typeOf(property, where);
    shapes[name][camel(key)] = shape === undefined ? [key] : [key, shape];
    const fallback = 'default' in property ? JSON.stringify(property.default) : '- none';
    const lines = [property.description, required.has(key) ? '' : `@default ${fallback}`];
    return `${doc(lines, '  ')}  readonly ${camel(key)}${required.has(key) ? '' : '?'}: ${type};\n`;
  });
  return `${doc([it.description])}export interface ${name} {\n${fields.join('\n')}}\n`;
}

function enumeration(name, it) {
  const members = it.constants.map(
    (option) => `${doc([option.description], '  ')}  ${option.const.toUpperCase().replaceAll('-', '_')} = '${option.const}',\n`,
  );
  return `${doc([definitions[name].description])}export enum ${name} {\n${members.join('\n')}}\n`;
}

/** Alternatives that are told apart by their one key, as one struct of optional keys. */
function alternatives(name, it) {
  const properties = Object.assign({}, ...it.structs.map((option) => described(option)));
  return struct(choice(name, it), { description: `${definitions[name].description} Exactly one of these.`, properties });
}

function described(option) {
  const entries = Object.entries(option.properties);
  return Object.fromEntries(entries.map(([key, property]) => [key, { description: option.description, ...property, default: undefined }]));
}

function specs() {
  const parts = [struct('ServiceSpec', { ...schema, required: schema.required })];
  for (const [name, it] of Object.entries(kinds)) {
    if (it.what === 'struct') parts.push(struct(name, definitions[name]));
    if (it.what !== 'choice') continue;
    if (it.constants.length > 0) parts.push(enumeration(name, it));
    if (it.structs.length > 0) parts.push(alternatives(name, it));
  }
  const table = `/**\n * How each struct's keys are written in a spec, and which struct is under them.\n *\n * @internal\n */\n`
    + `export const SHAPES: { [struct: string]: { [key: string]: string[] } } = ${JSON.stringify(shapes, null, 1)};\n`;
  return { text: `${WARNING}\n${parts.join('\n')}`, table: `${WARNING}\n${table}` };
}

// ---- properties of the constructs ----------------------------------------------------------------------------------

const isRead = (parameter) => parameter.Type.startsWith('AWS::SSM::Parameter');

function properties(name, template, about, more) {
  const fields = Object.entries(template.Parameters).map(([parameter, it]) => {
    const type = { CommaDelimitedList: 'string[]', Number: 'number' }[it.Type] ?? 'string';
    const values = it.AllowedValues === undefined ? '' : `One of ${it.AllowedValues.join(', ')}.`;
    const fallback = it.Default === '' ? '- none' : `${JSON.stringify(it.Default)}`;
    const lines = [it.Description ?? `The template's parameter ${parameter}.`, values, `@default ${fallback}`];
    return `${doc(lines, '  ')}  readonly ${camel(parameter[0].toLowerCase() + parameter.slice(1))}?: ${type};\n`;
  });
  return `${doc([about])}export interface ${name} {\n${[...more, ...fields].join('\n')}}\n`;
}

function parameterNames(template) {
  const names = Object.entries(template.Parameters);
  const table = names.map(([name, it]) => [name, { property: name[0].toLowerCase() + name.slice(1), isList: it.Type === 'CommaDelimitedList', isRead: isRead(it), fallback: String(it.Default ?? '') }]);
  return Object.fromEntries(table);
}

/** The template without how a console would ask for its parameters, which are no parameters any more. */
function asset(name, template) {
  const { Metadata, ...rest } = template;
  const others = Object.keys(Metadata ?? {}).filter((key) => key !== 'AWS::CloudFormation::Interface');
  if (others.length > 0) fail(`metadata of a template: ${others.join(', ')}`);
  writeFileSync(`assets/${name}`, `${JSON.stringify(rest, null, 1)}\n`);
}

const FUNCTIONS = `${doc(['The folder of the built functions: what `sam build` leaves in `.aws-sam/build`.'], '  ')}  readonly functions: string;\n`;
const { text, table } = specs();
for (const folder of ['src/generated', 'assets']) mkdirSync(folder, { recursive: true });
asset('windlass.template.json', windlass);
asset('cluster.template.json', cluster);
writeFileSync('src/generated/service-spec.ts', text);
writeFileSync('src/generated/shapes.ts', table);
writeFileSync(
  'src/generated/properties.ts',
  [
    WARNING,
    properties('WindlassProps', windlass, 'What a Windlass is made with: the parameters of `template.yaml`.', [FUNCTIONS]),
    properties('WindlassClusterProps', cluster, 'What a cluster is made with: the parameters of `cluster/cluster.yaml`.', []),
  ].join('\n'),
);
writeFileSync(
  'src/generated/parameters.ts',
  `${WARNING}
/**
 * A parameter of a template.
 *
 * @internal
 */
export interface Parameter { readonly property: string; readonly isList: boolean; readonly isRead: boolean; readonly fallback: string }

/**
 * The parameters of \`template.yaml\`.
 *
 * @internal
 */
export const WINDLASS: { [name: string]: Parameter } = ${JSON.stringify(parameterNames(windlass), null, 1)};

/**
 * The parameters of \`cluster/cluster.yaml\`.
 *
 * @internal
 */
export const CLUSTER: { [name: string]: Parameter } = ${JSON.stringify(parameterNames(cluster), null, 1)};
`,
);
