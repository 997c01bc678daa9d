// Names for what the contract (functions/openapi.yaml) describes. Nothing here is typed by hand: each is an alias of the generated schema.
import type { components } from './schema';

type Schemas = components['schemas'];

export type Alarm = Schemas['Alarm'];
export type Claim = Schemas['Claim'];
export type ClaimFile = Schemas['ClaimFile'];
export type Command = Schemas['Command'];
export type DefinitionChange = Schemas['DefinitionChange'];
export type Delivery = Schemas['Delivery'];
export type Live = Schemas['Live'];
export type Model = Schemas['Model'];
export type NewClaim = Schemas['NewClaim'];
export type NewRule = Schemas['NewRule'];
export type NewTemplate = Schemas['NewTemplate'];
export type NewTwin = Schemas['NewTwin'];
export type Phase = Schemas['Phase'];
export type Problem = Schemas['Problem'];
export type Property = Schemas['Property'];
export type ProvisioningModel = Schemas['ProvisioningModel'];
export type Reading = Schemas['Reading'];
export type RecordPage = Schemas['RecordPage'];
export type Rejection = Schemas['Rejection'];
export type Role = Schemas['Role'];
export type Rule = Schemas['Rule'];
export type RuleChange = Schemas['RuleChange'];
export type Run = Schemas['Run'];
export type RunStep = Schemas['RunStep'];
export type Series = Schemas['Series'];
export type Session = Schemas['Session'];
export type Severity = Schemas['Severity'];
export type Twin = Schemas['Twin'];
export type User = Schemas['User'];
