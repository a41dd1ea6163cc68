export * from './generated/properties';
export * from './generated/service-spec';
export * from './windlass';
export * from './windlass-cluster';
export * from './windlass-service';
