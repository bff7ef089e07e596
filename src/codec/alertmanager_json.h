// codec/alertmanager_json.h: notifications as Alertmanager says them, so that what reads its webhooks reads ours.
//
// Shapes   webhook: the body of version "4". alerts: what POST /api/v2/alerts of an Alertmanager takes. In both, a change
//          of severity ends the alert of the old labels.
//          Labels: alertname, account, site, device, rule, severity, field, and those of the rule that have none of
//          these names. Annotations: summary, value, threshold, and where they apply reason, stale, flapping,
//          acknowledged.
// Thread   value
// Source   prometheus.io/docs/alerting/latest/configuration, webhook_config; alertmanager api/v2/openapi.yaml;
//          prometheus/common model/signature.go (fingerprints)
#pragma once

#include <cstdint>
#include <string>

#include "model/notification.h"

namespace millstream::codec {

model::Tags alert_labels(const model::Topic& device, const model::Alert& alert);  // by name, none empty
model::Tags alert_annotations(const model::NotifiedAlert& notified);              // the same
// 64-bit FNV-1a over names and values, as Prometheus does it. `labels` by name.
uint64_t label_fingerprint(const model::Tags& labels);

// `external_url`: of the dashboard, without a slash at its end; may be empty.
std::string encode_webhook(const model::Notification& notification, const std::string& external_url);
std::string encode_alertmanager_alerts(const model::Notification& notification, const std::string& external_url,
                                       int64_t now_ms);

}  // namespace millstream::codec
