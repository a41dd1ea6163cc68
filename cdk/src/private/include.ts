import * as fs from 'fs';
import * as os from 'os';
import * as path from 'path';
import { Token } from 'aws-cdk-lib';
import { CfnInclude } from 'aws-cdk-lib/cloudformation-include';
import { Construct } from 'constructs';
import { Parameter } from '../generated/parameters';
import { decided } from './conditions';
import { refuse } from './refuse';

/**
 * A template of Windlass's own, with the parameters' values written in and its conditions decided as far as
 * they can be. Its resources keep their logical ids, so a stack holds it once.
 */
export function include(
  scope: Construct,
  template: string,
  parameters: { [name: string]: Parameter },
  props: { readonly [property: string]: unknown },
): CfnInclude {
  const values: { [name: string]: unknown } = {};
  for (const [name, parameter] of Object.entries(parameters)) {
    const given = props[parameter.property];
    // CloudFormation itself reads the value of a public parameter.
    if (given === undefined && parameter.isRead) continue;
    values[name] = value(scope, name, parameter, given);
  }
  const original = JSON.parse(fs.readFileSync(path.join(__dirname, '..', '..', 'assets', template), 'utf8'));
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'windlass-cdk-'));
  try {
    const templateFile = path.join(folder, template);
    fs.writeFileSync(templateFile, JSON.stringify(decided(scope, original, values)));
    return new CfnInclude(scope, 'Template', { templateFile, parameters: values });
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

function value(scope: Construct, name: string, parameter: Parameter, given: unknown): unknown {
  if (!parameter.isList) return given === undefined ? parameter.fallback : given;
  // An empty list is one empty text, as where CloudFormation splits "".
  if (given === undefined) return parameter.fallback.split(',');
  if (!Array.isArray(given)) return refuse(scope, `${name} takes a list`);
  if (!Token.isUnresolved(given) && given.length === 0) return [''];
  return given;
}
