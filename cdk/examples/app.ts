// An account that has nothing yet: a cluster, Windlass, and one application on it.
//
//   scripts/build-functions && scripts/build-cdk && cd cdk && npx cdk synth
//
// With a cluster of your own, leave the first construct out and give its name and its listener's ARN.

import { App, Stack } from 'aws-cdk-lib';
import { ApprovalBefore, Windlass, WindlassCluster, WindlassService } from '..';

const app = new App();
const stack = new Stack(app, 'Windlass');

const cluster = new WindlassCluster(stack, 'Cluster', { clusterName: 'main', minInstances: 2, maxInstances: 10 });

new Windlass(stack, 'Windlass', {
  functions: process.env.WINDLASS_FUNCTIONS ?? '../.aws-sam/build',
  clusterNames: [cluster.clusterName],
  listenerArn: cluster.listenerArn,
  passRoleArns: [cluster.taskExecutionRoleArn],
});

new WindlassService(stack, 'Shop', {
  clusterName: cluster.clusterName,
  serviceName: 'shop',
  spec: {
    image: { repository: 'shop', policy: { semver: '1.x' } },
    desired: 2,
    task: { cpu: 256, memory: 256, port: 8080, executionRole: cluster.taskExecutionRoleArn },
    route: { paths: ['/shop/*'], health: { path: '/shop/health' } },
    rollout: {
      strategy: { canary: { steps: [{ percent: 2, minutes: 10 }, { percent: 10, minutes: 60 }] } },
      approval: { before: ApprovalBefore.TRAFFIC },
    },
  },
});

app.synth();
