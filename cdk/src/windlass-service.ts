import { Stack, Token } from 'aws-cdk-lib';
import { CfnParameter } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { ServiceSpec } from './generated/service-spec';
import { SHAPES } from './generated/shapes';
import { refuse } from './private/refuse';

/** Parameter Store's limit of a standard parameter, in bytes. */
const STANDARD = 4096;

/** What a service is declared with. */
export interface WindlassServiceProps {
  /** The ECS cluster's name. */
  readonly clusterName: string;
  /** The service's name: also its task definitions' family, after the cluster's. */
  readonly serviceName: string;
  /** What is wanted of it. */
  readonly spec: ServiceSpec;
}

/**
 * A service that Windlass keeps: its spec, in the parameter `/windlass/services/CLUSTER/SERVICE`. The
 * deployed image is not part of the stack, so that neither changes the other.
 *
 * Taking the construct away takes the spec away and leaves the service running: `windlass retire` removes it.
 */
export class WindlassService extends Construct {
  /** The parameter's name. */
  public readonly parameterName: string;

  public constructor(scope: Construct, id: string, props: WindlassServiceProps) {
    super(scope, id);
    this.parameterName = `/windlass/services/${props.clusterName}/${props.serviceName}`;
    if (props.spec.service !== undefined || props.spec.cluster !== undefined) {
      refuse(this, 'serviceName and clusterName say whose spec it is: leave spec.service and spec.cluster out');
    }
    const text = Stack.of(this).toJsonString(written(this, props.spec, 'ServiceSpec'));
    const known: unknown = Stack.of(this).resolve(text);
    if (typeof known === 'string' && Buffer.byteLength(known) > STANDARD) {
      refuse(this, `the spec has ${Buffer.byteLength(known)} bytes and a standard parameter takes ${STANDARD}`);
    }
    new CfnParameter(this, 'Spec', {
      name: this.parameterName,
      type: 'String',
      value: text,
      description: 'Windlass: what is wanted of this service',
    });
  }
}

/** A value as Windlass reads it: its keys, and those under it, written as in a spec. */
function written(scope: Construct, value: unknown, shape: string | undefined): unknown {
  if (shape === undefined || Token.isUnresolved(value)) return value;
  if (Array.isArray(value)) return value.map((item) => written(scope, item, shape));
  // A word or a number where there might be a struct.
  if (typeof value !== 'object' || value === null) return value;
  const keys = SHAPES[shape];
  const given = Object.entries(value).filter(([, under]) => under !== undefined);
  const entries = given.map(([key, under]) => {
    if (keys[key] === undefined) {
      refuse(scope, `a spec's ${shape} has no key ${key}; it has ${Object.keys(keys).sort().join(', ')}`);
    }
    const [name, below] = keys[key];
    return [name, written(scope, under, below)];
  });
  return Object.fromEntries(entries);
}
