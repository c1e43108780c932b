// Opening, closing, keyspaces and upkeep.
#include "capi/handles.h"
#include "lightning/inspect.h"
#include "lightning/version.h"

using namespace lightning;
using namespace lightning::capi;

namespace {

lightning_error* open_by(decltype(Database::open)& opener, const char* path, const lightning_config* config,
                         const lightning_open_options* options, lightning_db** db) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(db, "db"));
    LIGHTNING_TRY(required(path, "path"));
    LIGHTNING_ASSIGN(Database database, opener(path, config ? config->config : LightningDbConfig(),
                                               options ? options->options : OpenOptions()));
    *db = new lightning_db{std::make_shared<OpenDatabase>(std::move(database))};
    return {};
  });
}

}  // namespace

Result<KeyspaceOptions> lightning::capi::keyspace_options_of(const lightning_keyspace_options* options) {
  static constexpr lightning_keyspace_options kDefaults = LIGHTNING_KEYSPACE_OPTIONS_INIT;
  LIGHTNING_ASSIGN(const auto known, options_of(options, kDefaults, sizeof(kDefaults)));
  KeyspaceOptions made;
  if (known.merge_operator != nullptr) made.merge_operator = known.merge_operator;
  made.default_ttl = std::chrono::milliseconds(known.default_ttl_ms);
  made.counted = known.counted;
  if (known.blob_threshold < -1) return Error(ErrorCode::kInvalidArgument, "blob_threshold is negative");
  if (known.blob_threshold >= 0) made.blob_threshold = static_cast<std::uint64_t>(known.blob_threshold);
  return made;
}

uint32_t lightning_c_abi_version(void) { return LIGHTNING_C_ABI_VERSION; }
const char* lightning_version(void) { return LIGHTNING_VERSION; }

lightning_error* lightning_open(const char* path, const lightning_config* config, lightning_db** db) {
  return lightning_open_with(path, config, nullptr, db);
}

lightning_error* lightning_open_read_only(const char* path, const lightning_config* config, lightning_db** db) {
  return lightning_open_read_only_with(path, config, nullptr, db);
}

lightning_error* lightning_open_with(const char* path, const lightning_config* config,
                                     const lightning_open_options* options, lightning_db** db) {
  return open_by(Database::open, path, config, options, db);
}

lightning_error* lightning_open_read_only_with(const char* path, const lightning_config* config,
                                               const lightning_open_options* options, lightning_db** db) {
  return open_by(Database::open_read_only, path, config, options, db);
}

lightning_error* lightning_close(lightning_db* db) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(db, "the database"));
    OpenDatabase& home = *db->home;
    if (home.closed.load()) return {};
    if (const std::size_t live = home.live_handles.load(); live > 0)
      return Error(ErrorCode::kBusy,
                   std::to_string(live) + " iterators, snapshots, values or transactions of the database are not freed")
          .at_file(home.path)
          .with_advice("free them, then close");
    home.closed.store(true);
    return home.database.close();
  });
}

void lightning_db_free(lightning_db* db) { delete db; }

const char* lightning_db_path(const lightning_db* db) { return db ? db->home->path.c_str() : ""; }

lightning_error* lightning_db_config(const lightning_db* db, lightning_config** config) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(config, "config"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    *config = new lightning_config{.config = home->database.config(), .path = home->path};
    return {};
  });
}

lightning_error* lightning_create_keyspace(lightning_db* db, const void* name, size_t name_size,
                                           const lightning_keyspace_options* options, lightning_keyspace** keyspace) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(keyspace, "keyspace"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const auto text, bytes_of(name, name_size, "the name"));
    LIGHTNING_ASSIGN(const auto known, keyspace_options_of(options));
    LIGHTNING_ASSIGN(auto made, home->database.create_keyspace(text, known));
    *keyspace = new lightning_keyspace{home, std::move(made)};
    return {};
  });
}

lightning_error* lightning_get_keyspace(lightning_db* db, const void* name, size_t name_size,
                                        lightning_keyspace** keyspace) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(keyspace, "keyspace"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const auto text, bytes_of(name, name_size, "the name"));
    LIGHTNING_ASSIGN(auto found, home->database.keyspace(text));
    *keyspace = new lightning_keyspace{home, std::move(found)};
    return {};
  });
}

lightning_error* lightning_get_or_create_keyspace(lightning_db* db, const void* name, size_t name_size,
                                                  const lightning_keyspace_options* options,
                                                  lightning_keyspace** keyspace) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(keyspace, "keyspace"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const auto text, bytes_of(name, name_size, "the name"));
    LIGHTNING_ASSIGN(const auto known, keyspace_options_of(options));
    LIGHTNING_ASSIGN(auto found, home->database.get_or_create_keyspace(text, known));
    *keyspace = new lightning_keyspace{home, std::move(found)};
    return {};
  });
}

lightning_error* lightning_drop_keyspace(lightning_db* db, const void* name, size_t name_size) {
  return guarded([&]() -> Status {
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const auto text, bytes_of(name, name_size, "the name"));
    return home->database.drop_keyspace(text);
  });
}

lightning_error* lightning_list_keyspaces(lightning_db* db, lightning_bytes** names, size_t* count) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(names, "names"));
    LIGHTNING_TRY(cleared(count, "count"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    const std::vector<std::string> all = home->database.keyspaces();
    *names = list_of(all);
    *count = all.size();
    return {};
  });
}

lightning_bytes lightning_keyspace_name(const lightning_keyspace* keyspace) {
  if (keyspace == nullptr) return {kDefaultKeyspaceName.data(), kDefaultKeyspaceName.size()};
  return {keyspace->keyspace.name().data(), keyspace->keyspace.name().size()};
}

lightning_error* lightning_keyspace_read_options(const lightning_keyspace* keyspace,
                                                 lightning_keyspace_options* options) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(keyspace, "the keyspace"));
    LIGHTNING_TRY(required(options, "options"));
    const KeyspaceOptions& held = keyspace->keyspace.options();
    return fill(*options, options->struct_size,
                {.struct_size = std::min(options->struct_size, sizeof(lightning_keyspace_options)),
                 .merge_operator = held.merge_operator.c_str(),
                 .default_ttl_ms = held.default_ttl.count(),
                 .counted = held.counted,
                 .blob_threshold = held.blob_threshold ? static_cast<int64_t>(*held.blob_threshold) : -1},
                sizeof(lightning_keyspace_options));
  });
}

void lightning_keyspace_free(lightning_keyspace* keyspace) { delete keyspace; }

lightning_error* lightning_sync(lightning_db* db) {
  return guarded([&]() -> Status {
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    return home->database.sync();
  });
}

lightning_error* lightning_flush(lightning_db* db) {
  return guarded([&]() -> Status {
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    return home->database.flush();
  });
}

lightning_error* lightning_compact_range(lightning_db* db, const lightning_keyspace* keyspace,
                                         const lightning_bytes* start, const lightning_bytes* end, int32_t bottom) {
  return guarded([&]() -> Status {
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const auto range, range_of(start, end));
    LIGHTNING_ASSIGN(const auto level, choice_of(bottom, BottomLevel::kRewrite, "lightning_bottom_level"));
    return home->database.compact_range(*in, range, {.bottom = level});
  });
}

lightning_error* lightning_wait_for_background_work(lightning_db* db) {
  return guarded([&]() -> Status {
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    return home->database.wait_for_background_work();
  });
}

lightning_error* lightning_count(lightning_db* db, const lightning_keyspace* keyspace, uint64_t* records, bool* exact) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(records, "records"));
    if (exact != nullptr) *exact = false;
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const RecordCount counted, home->database.count(*in));
    *records = counted.records;
    if (exact != nullptr) *exact = counted.exact;
    return {};
  });
}

lightning_error* lightning_approximate_size(lightning_db* db, const lightning_keyspace* keyspace,
                                            const lightning_bytes* start, const lightning_bytes* end, uint64_t* bytes) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(bytes, "bytes"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const auto range, range_of(start, end));
    LIGHTNING_ASSIGN(*bytes, home->database.approximate_size(*in, range));
    return {};
  });
}

lightning_error* lightning_inspect_file(int32_t kind, const char* path, bool entries,
                                        bool (*visit)(void* context, const char* fact), void* context) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(path, "path"));
    if (visit == nullptr) return invalid("visit is null");
    LIGHTNING_ASSIGN(const auto known, choice_of(kind, FileKind::kBlob, "lightning_file_kind"));
    return inspect_file(known, path, {.entries = entries}, [&](const InspectedFact& fact) {
      return goes_on([&] { return visit(context, to_json(fact).c_str()); });
    });
  });
}

// --- check -----------------------------------------------------------------------------------------------------------

lightning_error* lightning_check(lightning_db* db, const lightning_check_options* options,
                                 lightning_check_report** report) {
  return guarded([&]() -> Status {
    static constexpr lightning_check_options kDefaults = LIGHTNING_CHECK_OPTIONS_INIT;
    LIGHTNING_TRY(cleared(report, "report"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const auto known, options_of(options, kDefaults, offsetof(lightning_check_options, threads)));
    CheckOptions wanted{.full = known.full, .threads = known.threads};
    if (known.progress != nullptr)
      wanted.progress = [known](std::uint64_t done, std::uint64_t total) {
        return goes_on([&] { return known.progress(known.context, done, total); });
      };
    auto made = std::make_unique<lightning_check_report>();
    LIGHTNING_ASSIGN(made->report, home->database.check(wanted));
    for (const CheckFinding& finding : made->report.findings) made->findings.emplace_back(make_error(finding.error));
    *report = made.release();
    return {};
  });
}

size_t lightning_check_report_findings(const lightning_check_report* report) {
  return report ? report->findings.size() : 0;
}
const lightning_error* lightning_check_report_finding(const lightning_check_report* report, size_t index) {
  return report && index < report->findings.size() ? report->findings[index].get() : nullptr;
}
size_t lightning_check_report_not_compared(const lightning_check_report* report) {
  return report ? report->report.not_compared.size() : 0;
}
const char* lightning_check_report_not_compared_text(const lightning_check_report* report, size_t index) {
  return index < lightning_check_report_not_compared(report) ? report->report.not_compared[index].c_str() : "";
}
uint64_t lightning_check_report_tables(const lightning_check_report* report) {
  return report ? report->report.tables : 0;
}
uint64_t lightning_check_report_entries(const lightning_check_report* report) {
  return report ? report->report.entries : 0;
}
uint64_t lightning_check_report_blob_files(const lightning_check_report* report) {
  return report ? report->report.blob_files : 0;
}
uint64_t lightning_check_report_blob_records(const lightning_check_report* report) {
  return report ? report->report.blob_records : 0;
}
uint64_t lightning_check_report_blocks(const lightning_check_report* report) {
  return report ? report->report.blocks : 0;
}
uint64_t lightning_check_report_bytes(const lightning_check_report* report) {
  return report ? report->report.bytes : 0;
}
void lightning_check_report_free(lightning_check_report* report) { delete report; }
