'use strict';
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { App, CfnParameter, Stack } = require('aws-cdk-lib');
const { Template } = require('aws-cdk-lib/assertions');
const { Windlass, WindlassCluster } = require('..');
const { WINDLASS, CLUSTER } = require('../lib/generated/parameters');
const { asset, plain, resources } = require('./templates');

const FUNCTIONS = ['DeployFunction', 'DrainFunction', 'ScaleFunction', 'VerifyFunction'];
let built;

before(() => {
  built = fs.mkdtempSync(path.join(os.tmpdir(), 'windlass-'));
  for (const name of FUNCTIONS) {
    fs.mkdirSync(path.join(built, name));
    fs.writeFileSync(path.join(built, name, 'bootstrap'), `#!/bin/sh\n# ${name}\n`);
  }
});

after(() => fs.rmSync(built, { recursive: true }));

/** A parameter of the user's own for each of the template's, so that nothing is evaluated before it is compared. */
function asked(stack, table) {
  const entries = Object.entries(table).filter(([, it]) => !it.isRead).map(([name, it]) => {
    const parameter = new CfnParameter(stack, name, { type: it.isList ? 'CommaDelimitedList' : 'String' });
    return [it.property, it.isList ? parameter.valueAsList : parameter.valueAsString];
  });
  return Object.fromEntries(entries);
}

function synth(make) {
  const stack = new Stack(new App(), 'Test');
  make(stack);
  return Template.fromStack(stack).toJSON();
}

test('every resource is the one that SAM makes of template.yaml', () => {
  const template = synth((stack) => new Windlass(stack, 'Windlass', { functions: built, ...asked(stack, WINDLASS) }));
  const original = asset('windlass.template.json');
  assert.deepEqual(resources(template), resources(original));
  assert.deepEqual(plain(template.Conditions), plain(original.Conditions));
  assert.deepEqual(plain(template.Outputs), plain(original.Outputs));
});

test('every resource of the cluster is that of cluster.yaml', () => {
  const template = synth((stack) => new WindlassCluster(stack, 'Cluster', asked(stack, CLUSTER)));
  const original = asset('cluster.template.json');
  assert.deepEqual(resources(template), resources(original));
  assert.deepEqual(plain(template.Conditions), plain(original.Conditions));
  assert.deepEqual(plain(template.Outputs), plain(original.Outputs));
});

test('what is left out has the default of its template, and nobody is asked for it', () => {
  const template = synth((stack) => {
    new Windlass(stack, 'Windlass', { functions: built });
    new WindlassCluster(stack, 'Cluster');
  });
  const variables = template.Resources.DeployFunction.Properties.Environment.Variables;
  assert.deepEqual(variables.WINDLASS_CLUSTERS, { 'Fn::Join': [',', ['main']] });
  assert.equal(variables.WINDLASS_LABEL_MAX_CPU, asset('windlass.template.json').Parameters.LabelMaxCpu.Default.toString());
  // The machine image, which CloudFormation itself reads.
  assert.deepEqual(Object.keys(template.Parameters).sort(), ['BootstrapVersion', 'ImageOfArm64']);
});

test('what a condition leaves out is left out where it is known', () => {
  const template = synth((stack) => new Windlass(stack, 'Windlass', { functions: built, clusterNames: ['main'] }));
  assert.equal(template.Conditions, undefined);
  assert.equal(template.Resources.InfrastructureRole, undefined, 'there is no listener');
  assert.equal(template.Resources.VerifyFunction.Properties.VpcConfig, undefined);
  assert.ok(!JSON.stringify(template.Resources.DeployRole).includes('AWS::NoValue'));
});

test('what decides what there is and is known too late is refused', () => {
  const make = (stack) => {
    const { clusterName } = new WindlassCluster(stack, 'One');
    new WindlassCluster(stack, 'Cluster', { instancesIn: clusterName });
  };
  assert.throws(() => synth(make), /Cluster: \{"Ref":"InstancesIn"\} decides what there is/);
});

test('an empty list is what it is to CloudFormation', () => {
  const one = synth((stack) => new Windlass(stack, 'Windlass', { functions: built, passRoleArns: [] }));
  const other = synth((stack) => new Windlass(stack, 'Windlass', { functions: built }));
  assert.deepEqual(resources(one), resources(other));
});

test('each function has its own code', () => {
  const stack = new Stack(new App(), 'Test');
  new Windlass(stack, 'Windlass', { functions: built });
  const template = Template.fromStack(stack).toJSON();
  const codes = FUNCTIONS.map((name) => JSON.stringify(template.Resources[name].Properties.Code));
  assert.equal(new Set(codes).size, FUNCTIONS.length, codes.join('\n'));
  assert.ok(codes.every((code) => code.includes('S3Key')), codes.join('\n'));
});

test('functions that are not built are refused with the way to build them', () => {
  const make = (stack) => new Windlass(stack, 'Windlass', { functions: '/nowhere' });
  assert.throws(() => synth(make), /\/nowhere\/\w+Function has no bootstrap: build the functions first, with scripts\/build-functions/);
});

test('a cluster and its Windlass are in one stack, told of each other', () => {
  const template = synth((stack) => {
    const cluster = new WindlassCluster(stack, 'Cluster', { clusterName: 'apps' });
    new Windlass(stack, 'Windlass', {
      functions: built,
      clusterNames: [cluster.clusterName],
      listenerArn: cluster.listenerArn,
      passRoleArns: [cluster.taskExecutionRoleArn],
    });
  });
  const variables = template.Resources.DeployFunction.Properties.Environment.Variables;
  assert.deepEqual(variables.WINDLASS_CLUSTERS, { 'Fn::Join': [',', [{ Ref: 'Cluster' }]] });
  assert.deepEqual(variables.WINDLASS_LISTENER_ARN, { Ref: 'HttpListener' });
  assert.equal(template.Conditions, undefined, 'CloudFormation takes no condition that refers to a resource');
  const said = JSON.stringify(template.Resources.DeployRole);
  assert.ok(said.includes('"TaskExecutionRole"'), 'PassRole names the role of the same stack');
});

test('the example is what cdk synth makes a stack of', () => {
  const root = path.join(__dirname, '..');
  const out = path.join(built, 'cdk.out');
  const options = ['synth', '--quiet', '--app', 'node lib-examples/app.js', '--output', out];
  const env = { ...process.env, WINDLASS_FUNCTIONS: built, CDK_DISABLE_CLI_TELEMETRY: 'true' };
  const { status, stdout, stderr } = spawnSync('node_modules/.bin/cdk', options, { cwd: root, encoding: 'utf8', env });
  assert.equal(status, 0, stdout + stderr);
  const template = JSON.parse(fs.readFileSync(path.join(out, 'Windlass.template.json'), 'utf8'));
  const parameters = Object.values(template.Resources).filter((resource) => resource.Type === 'AWS::SSM::Parameter');
  // The cluster's name and the role's ARN are known once it is deployed.
  const names = parameters.map((parameter) => JSON.stringify(parameter.Properties.Name));
  assert.equal(names.filter((name) => name.includes('/windlass/services')).length, 1, names.join('\n'));
  assert.equal(names.filter((name) => name.includes('/windlass/stacks/')).length, 1, names.join('\n'));
});
