import * as fs from 'fs';
import * as path from 'path';
import { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { CfnInclude } from 'aws-cdk-lib/cloudformation-include';
import { Construct } from 'constructs';
import { WINDLASS } from './generated/parameters';
import { WindlassProps } from './generated/properties';
import { include } from './private/include';
import { refuse } from './private/refuse';

/**
 * Windlass: its functions, their roles, rules and schedules, the ledger and the dead letters. One for each
 * Region; a stack holds one.
 *
 * The resources are those of `template.yaml`, as SAM's own translator writes them.
 */
export class Windlass extends Construct {
  /** The ledger's name. The `windlass` command finds it by the stack's name. */
  public readonly tableName: string;
  /** The URL of the queue of events that nothing could be done with. */
  public readonly deadLetterQueueUrl: string;
  /** The ARN of the deploy function. */
  public readonly deployFunctionArn: string;
  /** The ARN of the scale function: an alarm's action, where EventBridge is not to be waited for. */
  public readonly scaleFunctionArn: string;

  public constructor(scope: Construct, id: string, props: WindlassProps) {
    super(scope, id);
    const template = include(this, 'windlass.template.json', WINDLASS, { ...props });
    for (const name of functions(template)) this.give(template, name, props.functions);
    this.tableName = template.getResource('LedgerTable').ref;
    this.deadLetterQueueUrl = template.getResource('DeadLetters').ref;
    this.deployFunctionArn = template.getResource('DeployFunction').getAtt('Arn').toString();
    this.scaleFunctionArn = template.getResource('ScaleFunction').getAtt('Arn').toString();
  }

  /** Gives the function its code. */
  private give(template: CfnInclude, name: string, built: string): void {
    const folder = path.join(built, name);
    if (!fs.existsSync(path.join(folder, 'bootstrap'))) {
      refuse(this, `${folder} has no bootstrap: build the functions first, with scripts/build-functions or sam build`);
    }
    const asset = new Asset(this, `${name}Code`, { path: folder });
    const code = { s3Bucket: asset.s3BucketName, s3Key: asset.s3ObjectKey };
    (template.getResource(name) as CfnFunction).code = code;
  }
}

function functions(template: CfnInclude): string[] {
  const elements = template.node.findAll();
  return elements.filter((element) => element instanceof CfnFunction).map((element) => element.node.id);
}
