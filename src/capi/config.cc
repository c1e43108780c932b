// Configuration by name and value, as files have it.
#include "api/near_miss.h"
#include "api/settings.h"
#include "capi/handles.h"
#include "env/env.h"
#include "lightning/config_file.h"

using namespace lightning;
using namespace lightning::capi;

namespace {

Result<const api::Setting*> setting_named(std::string_view name) {
  if (const api::Setting* setting = api::find_setting(name)) return setting;
  std::vector<std::string> names;
  for (const api::Setting& setting : api::settings_table()) names.emplace_back(setting.name);
  const std::string near = api::near_miss(name, names);
  return Error(ErrorCode::kConfigInvalid, "there is no setting '" + std::string(name) + "'")
      .with_advice(near.empty() ? "lightning_db config --describe lists them" : "did you mean " + near + "?");
}

// The program decides alone: variables of its environment have no say.
ConfigSources no_environment() {
  ConfigSources sources;
  sources.environment.emplace();
  return sources;
}

}  // namespace

lightning_error* lightning_config_create(lightning_config** config) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(config, "config"));
    *config = new lightning_config{};
    return {};
  });
}

lightning_error* lightning_config_preset(const char* name, lightning_config** config) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(config, "config"));
    LIGHTNING_TRY(required(name, "name"));
    LIGHTNING_ASSIGN(auto preset, preset_config(name));
    *config = new lightning_config{.config = preset, .path = {}};
    return {};
  });
}

lightning_error* lightning_config_from_yaml(const char* text, size_t text_size, lightning_config** config) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(config, "config"));
    LIGHTNING_ASSIGN(const auto yaml, bytes_of(text, text_size, "text"));
    LIGHTNING_ASSIGN(auto loaded, load_config_text(no_environment(), yaml, "configuration"));
    *config = new lightning_config{.config = loaded.config, .path = loaded.path};
    return {};
  });
}

lightning_error* lightning_config_from_file(const char* file, lightning_config** config) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(config, "config"));
    LIGHTNING_TRY(required(file, "file"));
    ConfigSources sources = no_environment();
    sources.file = file;
    if (sources.file.empty()) return invalid("the name of the file is empty");
    LIGHTNING_ASSIGN(auto loaded, load_config(sources));
    *config = new lightning_config{.config = loaded.config, .path = loaded.path};
    return {};
  });
}

lightning_error* lightning_config_set(lightning_config* config, const char* name, const char* value) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(config, "config"));
    LIGHTNING_TRY(required(name, "name"));
    LIGHTNING_TRY(required(value, "value"));
    LIGHTNING_ASSIGN(const api::Setting* const setting, setting_named(name));
    return api::assign_setting(*setting, value, env::machine_limits().memory_bytes, config->config);
  });
}

lightning_error* lightning_config_get(const lightning_config* config, const char* name, char** value) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(value, "value"));
    LIGHTNING_TRY(required(config, "config"));
    LIGHTNING_TRY(required(name, "name"));
    LIGHTNING_ASSIGN(const api::Setting* const setting, setting_named(name));
    const std::string text = api::print_setting_of(*setting, config->config);
    *value = static_cast<char*>(allocate(text.size() + 1));
    std::memcpy(*value, text.c_str(), text.size() + 1);
    return {};
  });
}

const char* lightning_config_path(const lightning_config* config) { return config ? config->path.c_str() : ""; }
void lightning_config_free(lightning_config* config) { delete config; }
