// topic.ts: the three names of a topic, "account:{a}/site:{s}/device:{d}".

export interface TopicNames {
  account: string;
  site: string;
  device: string;
}

// Undefined for anything that does not end at a device.
export function parseDeviceTopic(topic: string): TopicNames | undefined {
  const match = /^account:([^/]+)\/site:([^/]+)\/device:([^/]+)$/.exec(topic);
  return match ? { account: match[1]!, site: match[2]!, device: match[3]! } : undefined;
}
