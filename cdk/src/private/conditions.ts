import { Construct } from 'constructs';
import { CfnParameter, Reference, Stack, Token, Tokenization } from 'aws-cdk-lib';
import { refuse } from './refuse';

/** A part of a template. */
type Json = any;

/** The templates' parameters by their names, as far as they are given a value. */
type Values = { readonly [name: string]: unknown };

/**
 * The template without the conditions that are known already. CloudFormation takes no condition that refers to
 * a resource, and a listener or a role of the user's own stack is one: whether it is given is known here.
 */
export function decided(scope: Construct, template: Json, values: Values): Json {
  const known: { [condition: string]: boolean } = {};
  const judge = new Judge(scope, template.Conditions ?? {}, values);
  for (const name of Object.keys(template.Conditions ?? {})) {
    const verdict = judge.condition(name);
    if (verdict !== undefined) known[name] = verdict;
  }
  const { Conditions, ...rest } = template;
  const without = dropped(rest, known);
  const open = Object.entries(Conditions ?? {}).filter(([name]) => !(name in known));
  const conditions = Object.fromEntries(open.map(([name, it]) => [name, chosen(it, known)]));
  return asking(values, { ...chosen(without, known), ...(open.length > 0 ? { Conditions: conditions } : {}) });
}

/** Without the parameters that CloudFormation would ask for and nothing refers to any more. */
function asking(values: Values, template: Json): Json {
  const { Parameters, ...rest } = template;
  const text = JSON.stringify(rest);
  const isUsed = (name: string): boolean => text.includes(`"Ref":"${name}"`) || text.includes(`\${${name}}`);
  const used = Object.entries(Parameters).filter(([name]) => name in values || isUsed(name));
  return { ...rest, Parameters: Object.fromEntries(used) };
}

/** Tells of each condition whether it holds; `undefined` where CloudFormation alone will know. */
class Judge {
  public constructor(
    private readonly scope: Construct,
    private readonly conditions: { readonly [name: string]: Json },
    private readonly values: Values,
  ) {}

  public condition(name: string): boolean | undefined {
    return this.holds(this.conditions[name]);
  }

  private holds(it: Json): boolean | undefined {
    const [key] = Object.keys(it);
    const under = it[key];
    switch (key) {
      case 'Condition': return this.condition(under);
      case 'Fn::Not': return not(this.holds(under[0]));
      case 'Fn::And': return not(some(under.map((part: Json) => not(this.holds(part)))));
      case 'Fn::Or': return some(under.map((part: Json) => this.holds(part)));
      case 'Fn::Equals': return this.equal(under[0], under[1]);
      default: return refuse(this.scope, `a condition of the template has ${key}, which this construct does not know`);
    }
  }

  private equal(left: Json, right: Json): boolean | undefined {
    const [one, other] = [this.value(left), this.value(right)];
    if (one === OPEN || other === OPEN) return undefined;
    if (one === LATER || other === LATER) {
      // Whatever it will be, it will not be nothing.
      if (one === '' || other === '') return false;
      return refuse(this.scope, `${JSON.stringify(left)} decides what there is: give a value that is known when it is synthesized`);
    }
    return one === other;
  }

  private value(it: Json): string | typeof OPEN | typeof LATER {
    if (typeof it !== 'object') return String(it);
    if (it['Fn::Join'] !== undefined) return this.joined(it['Fn::Join'][0], it['Fn::Join'][1]);
    if (!(it.Ref in this.values)) return OPEN;
    return this.said(this.values[it.Ref]);
  }

  private joined(by: string, list: Json): string | typeof OPEN | typeof LATER {
    const given = this.values[list.Ref];
    if (given === undefined) return OPEN;
    if (!Array.isArray(given) || Token.isUnresolved(given)) return this.said(given);
    const parts = given.map((part) => this.said(part));
    if (parts.includes(OPEN)) return OPEN;
    return parts.includes(LATER) ? LATER : parts.join(by);
  }

  /** A value that a user gave: a constant, a parameter of the stack's own, or what a resource will have. */
  private said(given: unknown): string | typeof OPEN | typeof LATER {
    if (!Token.isUnresolved(given)) return String(given);
    const token = Array.isArray(given) ? Tokenization.reverseList(given) : Tokenization.reverse(given);
    if (Reference.isReference(token) && token.target instanceof CfnParameter) {
      return OPEN;
    }
    const resolved = Stack.of(this.scope).resolve(given);
    return typeof resolved === 'string' ? resolved : LATER;
  }
}

/** Only CloudFormation will know it: it is a parameter. */
const OPEN = Symbol('open');
/** Something, once it is made. */
const LATER = Symbol('later');

const not = (verdict: boolean | undefined): boolean | undefined => (verdict === undefined ? undefined : !verdict);
const some = (verdicts: (boolean | undefined)[]): boolean | undefined => {
  if (verdicts.includes(true)) return true;
  return verdicts.includes(undefined) ? undefined : false;
};

/** Without the resources and outputs whose condition does not hold. */
function dropped(template: Json, known: { readonly [name: string]: boolean }): Json {
  const kept = (of: Json): Json => {
    const entries = Object.entries<Json>(of).filter(([, it]) => known[it.Condition] !== false);
    return Object.fromEntries(entries.map(([name, it]) => [name, known[it.Condition] === true ? without(it, 'Condition') : it]));
  };
  const resources = kept(template.Resources);
  for (const resource of Object.values<Json>(resources)) {
    if (resource.DependsOn === undefined) continue;
    resource.DependsOn = [resource.DependsOn].flat().filter((name: string) => name in resources);
  }
  return { ...template, Resources: resources, Outputs: kept(template.Outputs ?? {}) };
}

function without(it: Json, key: string): Json {
  const { [key]: _, ...rest } = it;
  return rest;
}

const isNothing = (it: Json): boolean => it !== null && typeof it === 'object' && it.Ref === 'AWS::NoValue';

/** With the branch in the place of each `Fn::If` that is decided. */
function chosen(it: Json, known: { readonly [name: string]: boolean }): Json {
  if (Array.isArray(it)) return it.map((item) => chosen(item, known)).filter((item) => !isNothing(item));
  if (it === null || typeof it !== 'object') return it;
  const keys = Object.keys(it);
  if (keys.length === 1 && keys[0] === 'Fn::If' && it['Fn::If'][0] in known) {
    const [condition, yes, no] = it['Fn::If'];
    return chosen(known[condition] ? yes : no, known);
  }
  if (keys.length === 1 && keys[0] === 'Condition' && it.Condition in known) {
    return { 'Fn::Equals': ['true', String(known[it.Condition])] };
  }
  // The third of an `Fn::If` that stays open is its place: nothing there stays nothing.
  if (keys.length === 1 && keys[0] === 'Fn::If') {
    const [condition, ...branches] = it['Fn::If'];
    return { 'Fn::If': [condition, ...branches.map((branch: Json) => chosen(branch, known))] };
  }
  const entries = keys.map((key) => [key, chosen(it[key], known)]).filter(([, value]) => !isNothing(value));
  return Object.fromEntries(entries);
}
