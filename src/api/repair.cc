// Repair: the public functions over lightning::salvage, and its report as text and as JSON.
#include "lightning/repair.h"

#include "base/json_text.h"
#include "salvage/repair.h"
#include "sstable/layout.h"

namespace lightning {

namespace api {
namespace {

std::string quoted_name(const std::string& keyspace) {
  return keyspace.empty() ? "a keyspace that is not known" : "keyspace '" + keyspace + "'";
}

std::string range_text(const KeyRange& range) {
  if (!range.start && !range.end) return "all keys";
  return "keys [" + (range.start ? sstable::printable_key(*range.start) : "first") + ", " +
         (range.end ? sstable::printable_key(*range.end) : "last") + (range.end ? ")" : "]");
}

std::string because(const Error& reason) {
  std::string text = ": " + reason.message();
  if (!reason.context().file.empty()) {
    text += " (" + reason.context().file;
    if (reason.context().offset != ErrorContext::kNoOffset)
      text += ", offset " + std::to_string(reason.context().offset);
    text += ")";
  }
  return text + "\n";
}

void append_reason(base::JsonText& json, const Error& reason) {
  json.field("code", "LDB-" + std::to_string(static_cast<unsigned>(reason.code())));
  json.field("name", name_of(reason.code())).field("message", reason.message()).field("file", reason.context().file);
  if (reason.context().offset != ErrorContext::kNoOffset) json.field("offset", reason.context().offset);
}

}  // namespace
}  // namespace api

std::string RepairReport::to_string() const {
  std::string text;
  if (manifest_damage)
    text +=
        "uncertain: erased records and older versions may be back, in all keyspaces" + api::because(*manifest_damage);
  for (const LostKeys& lost : lost_keys)
    text += "lost: " + api::quoted_name(lost.keyspace) + ", " + api::range_text(lost.range) +
            (lost.entries > 0 ? ", about " + std::to_string(lost.entries) + " entries" : "") +
            api::because(lost.reason);
  for (const LostValue& lost : lost_values)
    text += "lost: " + api::quoted_name(lost.keyspace) + ", key " + sstable::printable_key(lost.key) +
            ", whose value cannot be read" + api::because(lost.reason);
  for (const LostWrites& lost : lost_writes)
    text += "lost: writes " + std::to_string(lost.first) + " to " + std::to_string(lost.last) +
            ", whose keys are not known" + api::because(lost.reason);
  for (const std::string& note : notes) text += "note: " + note + "\n";
  text += "saved: " + std::to_string(records) + " records of " + std::to_string(keyspaces) + " keyspaces, " +
          std::to_string(large_values) + " large values, " + std::to_string(indexes) +
          " indexes to build; up to sequence " + std::to_string(last_sequence) + "\n";
  return text + (complete() ? "nothing was lost\n" : "not everything could be saved\n");
}

std::string to_json(const RepairReport& report) {
  base::JsonText json;
  json.begin_object().field("source", report.source).field("target", report.target);
  json.field("complete", report.complete());
  json.field("keyspaces", report.keyspaces).field("indexes", report.indexes).field("records", report.records);
  json.field("large_values", report.large_values).field("tables", report.tables).field("bytes", report.bytes);
  json.field("last_sequence", report.last_sequence).begin_array("lost_keys");
  for (const LostKeys& lost : report.lost_keys) {
    json.begin_object().field("keyspace", lost.keyspace);
    if (lost.range.start) json.field("start", *lost.range.start);
    if (lost.range.end) json.field("end", *lost.range.end);
    json.field("entries", lost.entries);
    api::append_reason(json, lost.reason);
    json.end_object();
  }
  json.end_array().begin_array("lost_values");
  for (const LostValue& lost : report.lost_values) {
    json.begin_object().field("keyspace", lost.keyspace).field("key", lost.key);
    api::append_reason(json, lost.reason);
    json.end_object();
  }
  json.end_array().begin_array("lost_writes");
  for (const LostWrites& lost : report.lost_writes) {
    json.begin_object().field("first", lost.first).field("last", lost.last);
    api::append_reason(json, lost.reason);
    json.end_object();
  }
  json.end_array();
  if (report.manifest_damage) {
    json.begin_object("manifest_damage");
    api::append_reason(json, *report.manifest_damage);
    json.end_object();
  }
  json.begin_array("notes");
  for (const std::string& note : report.notes) json.begin_object().field("text", note).end_object();
  return json.end_array().end_object().text();
}

Result<RepairReport> repair_database(const std::string& source, const std::string& target,
                                     const RepairOptions& options) {
  return salvage::repair(env::Env::real(), source, target, options);
}

}  // namespace lightning
