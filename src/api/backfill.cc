// GET /api/events/backfill: past events, page by page, joined to the stream by id.
#include <algorithm>

#include "api/credential.h"
#include "api/listing.h"
#include "api/missing.h"
#include "api/offload.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/routes.h"
#include "base/limits.h"
#include "codec/csv.h"
#include "codec/event_json.h"

namespace millstream::api {
namespace {

Result<log::Order> parse_order(const http::Query& query) {
  const std::string_view text = query.get("order").value_or("asc");
  if (text == "asc") return log::Order::ascending;
  if (text == "desc") return log::Order::descending;
  return Error{Code::invalid, "order: asc or desc"};
}

// Pages go on by id: ascending after the cursor, descending before it.
Status apply_cursor(const http::Query& query, log::ReadRequest& read) {
  const auto text = query.get("cursor");
  if (!text) return {};
  const auto id = model::EventId::parse(*text);
  if (!id) return Error{Code::invalid, "cursor: not one that this endpoint gave"};
  if (read.order == log::Order::ascending) {
    read.after = std::max(read.after, *id);
  } else {
    const model::EventId before = model::EventId::from_packed(std::max<int64_t>(0, id->packed() - 1));
    read.until = read.until ? std::min(*read.until, before) : before;
  }
  return {};
}

Result<log::ReadRequest> parse_read(const http::Query& query) {
  log::ReadRequest read;
  const Result<model::EventTypes> types = parse_types(query);
  if (!types) return types.error();
  read.types = *types;
  const Result<log::Order> order = parse_order(query);
  if (!order) return order.error();
  read.order = *order;
  const auto limit = parse_number(query, "limit", 1, kBackfillEventsMax);
  if (!limit) return limit.error();
  read.events_max = static_cast<size_t>(limit->value_or(kBackfillEventsDefault));
  const auto since = parse_position(query, "since");
  if (!since) return since.error();
  if (*since) read.after = **since;
  const auto until = parse_position(query, "until");
  if (!until) return until.error();
  read.until = *until;
  if (Status s = apply_cursor(query, read); !s) return s.error();
  return read;
}

// What a page leads to: the next one, and where a stream goes on.
struct PageEnds {
  std::optional<model::EventId> next;
  model::EventId last;
};

http::Response page_json(const log::ReadPage& page, const PageEnds& ends) {
  std::string body = "{\"events\":[";
  for (size_t i = 0; i < page.events.size(); ++i) {
    if (i > 0) body += ',';
    codec::append_event_json(page.events[i], body);
  }
  body += "],\"next\":";
  body += ends.next ? '"' + ends.next->text() + '"' : "null";
  body += ",\"last\":\"" + ends.last.text() + '"';
  if (const std::string missing = missing_json(page.missing); !missing.empty()) body += ",\"missing\":" + missing;
  body += '}';
  return listing(Format::json, std::move(body), "events");
}

// A table has no place for what a page leads to: that goes into headers.
http::Response page_csv(const log::ReadPage& page, const PageEnds& ends) {
  std::string body = "id,ts,topic,type,data\r\n";
  codec::CsvWriter out(body);
  for (const model::Event& event : page.events) {
    out.text(event.id.text()).time(event.ts_ms).text(event.topic.text()).text(model::event_type_name(event.type));
    out.text(event.data).end_row();
  }
  http::Response response = listing(Format::csv, std::move(body), "events");
  if (ends.next) response.headers.add("X-Next-Cursor", ends.next->text());
  response.headers.add("X-Last-Id", ends.last.text());
  if (std::string missing = missing_json(page.missing); !missing.empty()) {
    response.headers.add("X-Missing", std::move(missing));
  }
  return response;
}

http::Response read_page(const Context& context, log::ReadRequest read, Format format) {
  // The position this answer speaks for, taken before reading: nothing after it can be missed by a stream from there.
  const model::EventId newest = context.log.last_id();
  if (!read.until || *read.until > newest) read.until = newest;
  const Result<log::ReadPage> page = context.log.read(read);
  if (!page) return problem(page.error());
  PageEnds ends;
  if (page->more) ends.next = page->scanned_to;
  ends.last = read.order == log::Order::descending || !page->more ? *read.until : page->scanned_to;
  return format == Format::csv ? page_csv(*page, ends) : page_json(*page, ends);
}

void handle_backfill(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const Status known = check_known(request.query, {"topic", "topics", "accountId", "siteId", "deviceId", "types",
                                                       "since", "until", "limit", "order", "cursor"});
      !known) {
    return exchange->respond(problem(known.error()));
  }
  Result<Reading> reading = authorize_reading(context, request);
  if (!reading) return exchange->respond(problem(reading.error()));
  Result<log::ReadRequest> read = parse_read(request.query);
  if (!read) return exchange->respond(problem(read.error()));
  read->patterns = std::move(reading->patterns);
  respond_from(context.readers, exchange, [&context, read = std::move(*read), format = format_of(request)] {
    return read_page(context, read, format);
  });
}

}  // namespace

void add_backfill_routes(http::Router& router, Context& context) {
  router.add("GET", "/api/events/backfill", 0, [&context](const http::ExchangePtr& e) { handle_backfill(context, e); });
}

}  // namespace millstream::api
