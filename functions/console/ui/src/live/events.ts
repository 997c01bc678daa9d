// What comes by the stream (connectors/stream). The shapes of the events' parts are the contract's.
import type { components } from '@/api/schema';

type Schemas = components['schemas'];

/** A twin's definition changed, or the twin is gone: deleted, or not the reader's to see any more. */
export interface TwinEvent {
  twin: string;
  kind: Schemas['TwinKind'];
  phase?: Schemas['Phase'];
  gone?: boolean;
}

/** A provisioning run went on. */
export interface RunEvent {
  run: string;
  type: string;
  twin?: string;
  serial: string;
  outcome?: string;
  steps: Schemas['RunStep'][];
}

/** An alarm was raised, cleared, or taken on. */
export interface AlarmEvent {
  alarm: string;
  raised: boolean;
  twin: string;
  name?: string;
  rule: string;
  title: string;
  severity: Schemas['Severity'];
  property?: string;
  value?: unknown;
  at: string;
}

/** A twin that was just heard from. */
export interface TwinReadings {
  twin: string;
  type?: string;
  connected: boolean;
  online: boolean;
  lastSeen?: string;
  messages: number;
  reported: { property: string; value: Schemas['Reading']['value']; at: string; flag?: string }[];
}

export interface LiveEvents {
  twin: TwinEvent;
  run: RunEvent;
  alarm: AlarmEvent;
  readings: { twins: TwinReadings[] };
  reload: { reason: string };
}
