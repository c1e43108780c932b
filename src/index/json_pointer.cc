// JSON pointer (RFC 6901): the value is read once, event by event, without building a tree of it.
#include "index/extract.h"

#ifdef LIGHTNING_WITH_JSON
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <vector>
#endif

namespace lightning::index {

#ifndef LIGHTNING_WITH_JSON

Result<std::shared_ptr<const Extract>> make_json_pointer(const JsonPointer&) {
  return Error(ErrorCode::kNotSupported, "this build cannot read JSON (LIGHTNING_WITH_JSON)");
}

#else

namespace {

namespace json = boost::json;
constexpr std::size_t kDepthMax = 64;

struct Token {
  std::string name;                    // of a member
  std::optional<std::uint64_t> place;  // in an array, if the token is a number as RFC 6901 writes it
};

Result<std::vector<Token>> parse_pointer(std::string_view pointer) {
  const auto invalid = [&](const char* why) {
    return Error(ErrorCode::kInvalidArgument, "the JSON pointer '" + std::string(pointer) + "' " + why);
  };
  std::vector<Token> tokens;
  if (!pointer.empty() && pointer.front() != '/') return invalid("does not begin with /");
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::string_view part = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(part.size());
    Token& token = tokens.emplace_back();
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (part[i] == '~' && (i + 1 == part.size() || (part[i + 1] != '0' && part[i + 1] != '1')))
        return invalid("holds a ~ that is followed by neither 0 nor 1");
      token.name.push_back(part[i] != '~' ? part[i] : part[++i] == '0' ? '~' : '/');
    }
    std::uint64_t place = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), place);
    const bool canonical = part.size() == 1 || (!part.empty() && part.front() != '0');
    if (error == std::errc{} && end == part.data() + part.size() && canonical) token.place = place;
  }
  if (tokens.size() > kDepthMax) return invalid("is deeper than 64");
  return tokens;
}

// Follows the way of the pointer through the events of a parser. `matched_` parts of the way lead to where it is.
class Finder {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  using error_code = json::error_code;

  explicit Finder(const std::vector<Token>& way) : way_(way) {}
  std::optional<IndexValue> found;
  bool compound = false;  // an array or an object is there

  bool on_document_begin(error_code&) { return here_ = way_.empty(), true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return enter(false); }
  bool on_object_end(std::size_t, error_code&) { return leave(); }
  bool on_array_begin(error_code&) { return enter(true); }
  bool on_array_end(std::size_t, error_code&) { return leave(); }
  bool on_key_part(json::string_view part, std::size_t, error_code&) {
    if (on_way()) key_.append(part.data(), part.size());
    return true;
  }
  bool on_key(json::string_view part, std::size_t, error_code&) {
    if (!on_way()) return here_ = false, true;
    key_.append(part.data(), part.size());
    here_ = way_[matched_].name == key_;
    key_.clear();
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, error_code&) {
    if (is_target()) text_.append(part.data(), part.size());
    return true;
  }
  bool on_string(json::string_view part, std::size_t, error_code&) {
    if (begin_scalar()) {
      text_.append(part.data(), part.size());
      found = IndexValue(std::move(text_));
      text_.clear();
    }
    return true;
  }
  bool on_number_part(json::string_view part, error_code&) {
    if (is_target()) text_.append(part.data(), part.size());
    return true;
  }
  bool on_int64(std::int64_t value, json::string_view, error_code&) { return set(value); }
  bool on_uint64(std::uint64_t value, json::string_view, error_code&) { return set(value); }
  bool on_double(double value, json::string_view rest, error_code&) {
    if (!begin_scalar()) return true;
    // The parser is fast and may miss by a bit: what is stored must be what the text says.
    text_.append(rest.data(), rest.size());
    std::from_chars(text_.data(), text_.data() + text_.size(), value);
    text_.clear();
    found = IndexValue(value);
    return true;
  }
  bool on_bool(bool value, error_code&) { return set(value); }
  bool on_null(error_code&) {
    begin_scalar();
    return true;
  }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }

 private:
  // Whether members or elements of the innermost container can be the next part of the way.
  bool on_way() const { return depth_ == matched_ + 1 && matched_ < way_.size(); }
  // Before a value: whether it is the one that the way leads to.
  bool is_target() const {
    if (depth_ == 0) return way_.empty();
    return on_way() && matched_ + 1 == way_.size() && leads_here();
  }
  bool leads_here() const { return in_array_ ? way_[matched_].place == next_ : here_; }
  // Whether the value lies on the way, at its end or before it.
  bool leads_on() const { return depth_ == 0 || (on_way() && leads_here()); }
  // Of several members with the same name the last counts: what was found in one before it was found for nothing.
  void supersede() {
    if (leads_on()) found.reset(), compound = false;
  }
  bool begin_scalar() {
    const bool target = is_target();
    supersede();
    if (depth_ > 0 && on_way() && in_array_) ++next_;
    return target;
  }
  bool set(auto value) {
    if (begin_scalar()) found = IndexValue(value);
    text_.clear();
    return true;
  }
  bool enter(bool array) {
    supersede();
    if (is_target()) compound = true;
    const bool follows = depth_ == 0 ? !way_.empty() : on_way() && matched_ + 1 < way_.size() && leads_here();
    if (depth_ > 0 && follows) {
      outer_.push_back({next_, in_array_});
      ++matched_;
    }
    ++depth_;
    if (follows) in_array_ = array, next_ = 0;
    return true;
  }
  bool leave() {
    --depth_;
    if (depth_ == matched_ && matched_ > 0) {  // a container on the way ends
      --matched_;
      next_ = outer_.back().next;
      in_array_ = outer_.back().in_array;
      outer_.pop_back();
    }
    if (depth_ > 0 && on_way() && in_array_) ++next_;
    return true;
  }

  struct Outer {
    std::uint64_t next;
    bool in_array;
  };
  const std::vector<Token>& way_;
  std::size_t depth_ = 0;    // containers around us
  std::size_t matched_ = 0;  // parts of the way behind us
  std::uint64_t next_ = 0;   // in the array on the way: the next element's place
  bool in_array_ = false, here_ = false;
  std::vector<Outer> outer_;
  std::string key_, text_;
};

class OfJson final : public Extract {
 public:
  explicit OfJson(std::vector<Token> way) : way_(std::move(way)) {}
  Result<std::optional<IndexValue>> operator()(std::string_view, std::string_view value) const override {
    json::parse_options options;
    options.max_depth = kDepthMax;
    json::basic_parser<Finder> parser(options, way_);
    json::error_code error;
    const std::size_t read = parser.write_some(false, value.data(), value.size(), error);
    if (!error && read < value.size()) error = json::error::extra_data;
    if (error) return Error(ErrorCode::kExtractFailed, "the value is not JSON: " + error.message());
    if (parser.handler().compound)
      return Error(ErrorCode::kExtractFailed, "an array or an object is where a string, number or boolean should be");
    return std::move(parser.handler().found);
  }

 private:
  const std::vector<Token> way_;
};

}  // namespace

Result<std::shared_ptr<const Extract>> make_json_pointer(const JsonPointer& extractor) {
  LIGHTNING_ASSIGN(std::vector<Token> way, parse_pointer(extractor.pointer));
  return std::make_shared<const OfJson>(std::move(way));
}

#endif

}  // namespace lightning::index
