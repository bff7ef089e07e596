#include "influx/query_result.h"

#include <simdjson.h>

#include <utility>

namespace millstream::influx {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

constexpr size_t kStatementsMax = 1024;

Error wrong(std::string place, std::string_view what) {
  return Error{Code::corrupt, "InfluxDB's answer: " + std::move(place) + ": " + std::string(what)};
}

std::string at(const std::string& place, size_t i) { return place + "[" + std::to_string(i) + "]"; }

Result<Cell> read_cell(element value, const std::string& place) {
  switch (value.type()) {
    case element_type::NULL_VALUE: return Cell();
    case element_type::BOOL: return Cell(bool{value});
    case element_type::INT64: return Cell(int64_t{value});
    case element_type::UINT64: return Cell(static_cast<double>(uint64_t{value}));
    case element_type::DOUBLE: return Cell(double{value});
    case element_type::STRING: return Cell(std::string(std::string_view(value)));
    default: return wrong(place, "not a value");
  }
}

Status read_row(element value, const std::string& place, size_t columns, QuerySeries& series) {
  simdjson::dom::array cells;
  if (value.get(cells)) return wrong(place, "not a list");
  if (cells.size() != columns) return wrong(place, "not as many as there are columns");
  std::vector<Cell>& row = series.rows.emplace_back();
  row.reserve(columns);
  for (const element cell : cells) {
    Result<Cell> read = read_cell(cell, at(place, row.size()));
    if (!read) return read.error();
    row.push_back(std::move(*read));
  }
  return {};
}

Status read_columns(element value, const std::string& place, QuerySeries& series) {
  simdjson::dom::array columns;
  if (value["columns"].get(columns)) return wrong(place + ".columns", "not a list");
  for (const element column : columns) {
    std::string_view name;
    if (column.get(name)) return wrong(place + ".columns", "not texts");
    series.columns.emplace_back(name);
  }
  return {};
}

Status read_tags(element value, const std::string& place, QuerySeries& series) {
  simdjson::dom::object tags;
  const simdjson::error_code error = value["tags"].get(tags);
  if (error == simdjson::NO_SUCH_FIELD) return {};
  if (error) return wrong(place + ".tags", "not an object");
  for (const auto& [name, tag] : tags) {
    std::string_view text;
    if (tag.get(text)) return wrong(place + ".tags", "not texts");
    series.tags.emplace(name, text);
  }
  return {};
}

Result<QuerySeries> read_series(element value, const std::string& place) {
  if (!value.is_object()) return wrong(place, "not an object");
  QuerySeries series;
  std::string_view name;
  if (!value["name"].get(name)) series.name = name;
  if (Status s = read_tags(value, place, series); !s) return s.error();
  if (Status s = read_columns(value, place, series); !s) return s.error();
  simdjson::dom::array rows;
  const simdjson::error_code error = value["values"].get(rows);
  if (error == simdjson::NO_SUCH_FIELD) return series;
  if (error) return wrong(place + ".values", "not a list");
  for (const element row : rows) {
    if (Status s = read_row(row, at(place + ".values", series.rows.size()), series.columns.size(), series); !s) {
      return s.error();
    }
  }
  return series;
}

bool is_partial(element value) {
  bool partial = false;
  return !value["partial"].get(partial) && partial;
}

// A series that goes on in the next part has its name, tags and columns again.
void add_series(QuerySeries series, Statement& statement) {
  if (!statement.series.empty()) {
    QuerySeries& last = statement.series.back();
    if (last.name == series.name && last.tags == series.tags && last.columns == series.columns) {
      for (auto& row : series.rows) last.rows.push_back(std::move(row));
      return;
    }
  }
  statement.series.push_back(std::move(series));
}

Status read_statement(element value, const std::string& place, std::vector<Statement>& statements) {
  if (!value.is_object()) return wrong(place, "not an object");
  std::string_view error;
  if (!value["error"].get(error)) return Error{Code::unprocessable, "InfluxDB: " + std::string(error)};
  uint64_t id = statements.size();
  if (!value["statement_id"].get(id) && id >= kStatementsMax) return wrong(place + ".statement_id", "too large");
  if (id >= kStatementsMax) return wrong(place, "too many");
  if (id >= statements.size()) statements.resize(id + 1);
  Statement& statement = statements[id];
  statement.partial = is_partial(value);
  simdjson::dom::array all;
  const simdjson::error_code missing = value["series"].get(all);
  if (missing == simdjson::NO_SUCH_FIELD) return {};
  if (missing) return wrong(place + ".series", "not a list");
  size_t i = 0;
  for (const element each : all) {
    Result<QuerySeries> series = read_series(each, at(place + ".series", i++));
    if (!series) return series.error();
    statement.partial = statement.partial || is_partial(each);
    add_series(std::move(*series), statement);
  }
  return {};
}

Status read_document(element document, std::vector<Statement>& statements) {
  if (!document.is_object()) return wrong("the whole", "not an object");
  std::string_view error;
  if (!document["error"].get(error)) return Error{Code::unprocessable, "InfluxDB: " + std::string(error)};
  simdjson::dom::array results;
  if (document["results"].get(results)) return wrong("results", "not a list");
  size_t i = 0;
  for (const element result : results) {
    if (Status s = read_statement(result, at("results", i++), statements); !s) return s;
  }
  return {};
}

}  // namespace

Result<std::vector<Statement>> parse_query_result(std::string_view body) {
  simdjson::dom::parser parser;
  std::vector<Statement> statements;
  bool any = false;
  while (!body.empty()) {
    const size_t line_end = std::min(body.find('\n'), body.size());
    const std::string_view line = body.substr(0, line_end);
    body.remove_prefix(std::min(line_end + 1, body.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    element document;
    if (parser.parse(line.data(), line.size()).get(document)) return wrong("the whole", "not JSON");
    if (Status s = read_document(document, statements); !s) return s.error();
    any = true;
  }
  if (!any) return wrong("the whole", "empty");
  return statements;
}

}  // namespace millstream::influx
