// Templates, so that two of them can be compared.

'use strict';
const fs = require('node:fs');
const path = require('node:path');

const asset = (name) => JSON.parse(fs.readFileSync(path.join(__dirname, '..', 'assets', name), 'utf8'));

/** Of several ways to write the same, one. */
function plain(node) {
  if (Array.isArray(node)) return node.map(plain);
  if (node === null || typeof node !== 'object') return node;
  const entries = Object.entries(node).map(([key, value]) => {
    if (key === 'Fn::GetAtt' && typeof value === 'string') {
      const dot = value.indexOf('.');
      return [key, [value.slice(0, dot), value.slice(dot + 1)]];
    }
    // Names that stand for themselves, as the CDK writes them where a parameter's place is taken.
    if (key === 'Fn::Sub' && Array.isArray(value)) {
      const others = Object.entries(value[1]).filter(([name, it]) => it.Ref !== name);
      return [key, others.length > 0 ? [value[0], plain(Object.fromEntries(others))] : value[0]];
    }
    if (key === 'DependsOn' && typeof value === 'string') return [key, [value]];
    return [key, plain(value)];
  });
  return Object.fromEntries(entries);
}

/** The resources, without where the functions' code is and what the CDK notes of each. */
function resources(template) {
  const entries = Object.entries(template.Resources).map(([name, resource]) => {
    const copy = structuredClone(resource);
    delete copy.Metadata;
    if (copy.Type === 'AWS::Lambda::Function') delete copy.Properties.Code;
    return [name, plain(copy)];
  });
  return Object.fromEntries(entries);
}

module.exports = { asset, plain, resources };
