import { Injectable } from '@nestjs/common';
import { type Observable, Subject } from 'rxjs';

export type StreamEventType = 'telemetry' | 'alert' | 'device_status' | 'system';

export interface StreamEvent {
  id: string;
  ts: string; // ISO
  topic: string; // account/site/device
  type: StreamEventType;
  data: Record<string, unknown>;
}

/** What this service had before: its own viewers, within this process. */
@Injectable()
export class StreamService {
  private readonly subject = new Subject<StreamEvent>();

  events$(): Observable<StreamEvent> {
    return this.subject.asObservable();
  }

  publish(evt: Omit<StreamEvent, 'ts'>) {
    this.subject.next({ ...evt, ts: new Date().toISOString() });
  }
}
