import { Construct } from 'constructs';

/** Says what went wrong, and in which construct. */
export function refuse(scope: Construct, message: string): never {
  throw new Error(`${scope.node.path}: ${message}`);
}
