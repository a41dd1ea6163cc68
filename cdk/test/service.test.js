'use strict';
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { test } = require('node:test');
const { App, Stack } = require('aws-cdk-lib');
const { Template } = require('aws-cdk-lib/assertions');
const { OnTimeout, ApprovalBefore, NetworkMode, Severity, Strategy, WindlassService } = require('..');

/** The parameter that a service's construct makes. */
function parameter(spec) {
  const stack = new Stack(new App(), 'Test');
  new WindlassService(stack, 'Shop', { clusterName: 'main', serviceName: 'shop', spec });
  const [found] = Object.values(Template.fromStack(stack).findResources('AWS::SSM::Parameter'));
  return found.Properties;
}

/** What `windlass spec check` says of it. */
function checked(text) {
  const windlass = process.env.WINDLASS;
  assert.ok(windlass, 'WINDLASS names the windlass command: scripts/test cdk sets it');
  const { status, stdout, stderr } = spawnSync(windlass, ['spec', 'check', '-'], { input: text, encoding: 'utf8' });
  return { status, said: stdout + stderr };
}

const EVERYTHING = {
  image: { repository: 'shop', policy: { semver: '1.x' } },
  desired: 2,
  keepRevisions: 5,
  task: {
    cpu: 256,
    memory: 256,
    port: 8080,
    networkMode: NetworkMode.BRIDGE,
    env: { LOG_LEVEL: 'info', camelCase: 'as it is' },
  },
  route: { paths: ['/shop/*'], headers: { 'X-Version': ['2'] }, health: { path: '/shop/health' } },
  scan: { maxSeverity: Severity.HIGH },
  rollout: {
    strategy: { canary: { steps: [{ percent: 2.5, minutes: 10 }, { percent: 50, approval: true }] } },
    testRoute: { header: 'x-test', values: ['new'] },
    approval: { before: ApprovalBefore.TRAFFIC, timeoutMinutes: 60, onTimeout: OnTimeout.ROLLBACK },
    breakerThreshold: { tasks: 3 },
  },
};

test('a spec is written with its own keys, and what a user names stays as it is', () => {
  const { Name, Type, Value } = parameter(EVERYTHING);
  assert.equal(Name, '/windlass/services/main/shop');
  assert.equal(Type, 'String');
  const spec = JSON.parse(Value);
  assert.equal(spec.keep_revisions, 5);
  assert.deepEqual(spec.task.env, { LOG_LEVEL: 'info', camelCase: 'as it is' });
  assert.equal(spec.task.network_mode, 'bridge');
  assert.deepEqual(spec.route.headers, { 'X-Version': ['2'] });
  assert.deepEqual(spec.rollout.strategy.canary.steps[1], { percent: 50, approval: true });
  assert.deepEqual(spec.rollout.breaker_threshold, { tasks: 3 });
  assert.equal(spec.rollout.approval.on_timeout, 'rollback');
});

test('the windlass command takes it', () => {
  const small = { image: { repository: 'shop' }, rollout: { strategy: Strategy.BLUE_GREEN } };
  for (const spec of [EVERYTHING, small]) {
    const { status, said } = checked(parameter(spec).Value);
    assert.equal(status, 0, said);
    assert.match(said, /fine, a service .* runs shop/);
  }
});

test('what the types cannot refuse, the windlass command does', () => {
  const text = parameter({ image: { repository: 'shop', policy: { semver: 'nonsense' } } }).Value;
  const { status, said } = checked(text);
  assert.notEqual(status, 0);
  assert.match(said, /the version range `nonsense` cannot be read/);
});

test('a key that a spec does not have is refused with those it has', () => {
  const spec = { image: { repository: 'shop' }, scan: { allow: 'high' } };
  assert.throws(() => parameter(spec), /ScanGate has no key allow; it has ifUnscanned, maxSeverity, timeoutMinutes/);
});

test('a name in the spec beside the construct is refused', () => {
  assert.throws(() => parameter({ service: 'other', image: { repository: 'shop' } }), /leave spec.service and spec.cluster out/);
});

test('a spec that no standard parameter takes is refused with both sizes', () => {
  const env = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`VARIABLE_${at}`, 'a value that is long']));
  const spec = { image: { repository: 'shop' }, task: { cpu: 1, memory: 4, env } };
  assert.throws(() => parameter(spec), /the spec has \d{4,} bytes and a standard parameter takes 4096/);
});
