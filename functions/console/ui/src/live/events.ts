// What comes by the stream (connectors/stream), as the contract describes it.
import type { components } from '@/api/schema';

type Schemas = components['schemas'];

type TwinEvent = Schemas['StreamTwin'];
export type RunEvent = Schemas['StreamRun'];
type AlarmEvent = Schemas['StreamAlarm'];
export type TwinReadings = Schemas['StreamReadings']['twins'][number];

/** The events of the stream, by name. */
export interface LiveEvents {
  /** The page's own: a stream has begun that goes on behind no other. What changed before it is told by nobody. */
  begun: null;
  twin: TwinEvent;
  run: RunEvent;
  alarm: AlarmEvent;
  readings: Schemas['StreamReadings'];
  waiting: Schemas['StreamWaiting'];
  reload: Schemas['StreamReload'];
}
