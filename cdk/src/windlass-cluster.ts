import { CfnOutput } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { CLUSTER } from './generated/parameters';
import { WindlassClusterProps } from './generated/properties';
import { include } from './private/include';

/**
 * The reference cluster, for an account that has nothing yet: a VPC, a load balancer, an ECS cluster on EC2
 * instances, and the alarms that ring Windlass. A stack holds one.
 *
 * The resources are those of `cluster/cluster.yaml`.
 */
export class WindlassCluster extends Construct {
  /** The ECS cluster's name. */
  public readonly clusterName: string;
  /** The ARN of the listener that gets the applications' rules. */
  public readonly listenerArn: string;
  /** The ARN of the role that tasks are started with: one of Windlass's `passRoleArns`. */
  public readonly taskExecutionRoleArn: string;

  public constructor(scope: Construct, id: string, props: WindlassClusterProps = {}) {
    super(scope, id);
    const template = include(this, 'cluster.template.json', CLUSTER, { ...props });
    const output = (name: string): string => (template.getOutput(name) as CfnOutput).value as string;
    this.clusterName = output('ClusterNames');
    this.listenerArn = output('ListenerArn');
    this.taskExecutionRoleArn = template.getResource('TaskExecutionRole').getAtt('Arn').toString();
  }
}
