// The document that describes the control socket says the same as the code behind it.
#include "api/http/api_routes.h"
#include "api/http/openapi.h"
#include "api/json/json_reader.h"
#include "tests/unit/json_schema.h"
#include "vmm/base/error.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cctype>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace coldstart;
using coldstart::testing::fault_of;
using coldstart::testing::resolve;
using coldstart::testing::sample;

namespace {

const Json& document() {
    static const Json parsed = parse_json(openapi_document());
    return parsed;
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char sign) { return static_cast<char>(std::tolower(sign)); });
    return result;
}

std::string path_of(const Route& route) {
    return "/" + std::string(route.path);
}

const Json& operation(const Route& route) {
    return document().at("paths").at(path_of(route)).at(lower(route.method));
}

const Json& body_schema(const Json& operation) {
    return operation.at("requestBody").at("content").at("application/json").at("schema");
}

std::vector<const Route*> routes_with_parser() {
    std::vector<const Route*> found;
    for (const Route& route : api_routes()) {
        if (route.parse != nullptr)
            found.push_back(&route);
    }
    return found;
}

/// A resource that is not built here: its body is not looked at.
bool is_refused(const Route& route) {
    return !operation(route).at("responses").contains("204");
}

/// What the parser has against the body; empty: nothing. The text goes the way a client's does.
std::string refusal(const Route& route, const Json& body) {
    std::optional<std::string> id;
    for (const char* const name : {"drive_id", "iface_id"}) {
        if (body.is_object() && body.contains(name) && body[name].is_string())
            id = body[name].get<std::string>();
    }
    try {
        const ParsedRequest parsed = route.parse(
            parse_json(body.dump()), route.path.ends_with("{id}")
                                         ? std::optional<std::string_view>(id ? *id : "none")
                                         : std::nullopt);
        const auto* const not_built = std::get_if<NotBuilt>(&parsed.request);
        return not_built == nullptr ? "" : not_built->what;
    } catch (const Error& error) {
        const std::string what = error.what();
        return what.empty() ? "an error that says nothing" : what;
    }
}

/// Limits that are not the parser's: they are the machine's when the request reaches it.
bool is_checked_later(const std::string& member, const char* limit) {
    static const std::set<std::string> members = {".vcpu_count maximum", ".vcpu_count minimum",
                                                  ".mem_size_mib minimum", ".boot_args maxLength",
                                                  ".network_interfaces minItems"};
    return members.count(member + " " + limit) != 0;
}

Json with(Json object, const std::string& name, const Json& value) {
    object[name] = value;
    return object;
}

Json without(Json object, const std::string& name) {
    object.erase(name);
    return object;
}

/// The names of all members that the document describes anywhere.
const std::set<std::string>& all_names() {
    static const std::set<std::string> names = [] {
        std::set<std::string> found;
        for (const Json& schema : document().at("components").at("schemas")) {
            const Json properties = schema.value("properties", Json::object());
            for (const auto& [name, property] : properties.items())
                found.insert(name);
        }
        return found;
    }();
    return names;
}

/// Changes one member after the other of an object inside of a body.
class Prober {
  public:
    /// `embed`: the whole body around an object that stands where this one does.
    using Embed = std::function<Json(const Json&)>;

    explicit Prober(const Route& route) : route_(route) {}

    unsigned probes() const noexcept { return probes_; }

    void object(const Json& described, const std::string& where, const Embed& embed) {
        const Json& schema = resolve(document(), described);
        if (schema.contains("oneOf")) {
            for (const Json& choice : schema["oneOf"])
                object(choice, where, embed);
            return;
        }
        const Json full = sample(document(), schema, true);
        accept(embed(full), where + " with every member");
        accept(embed(sample(document(), schema, false)), where + " with required members alone");
        for (const Json& name : schema.value("required", Json::array()))
            refuse(embed(without(full, name)), where + " without " + name.get<std::string>());
        // Where it is a schema, members have any name and that type.
        const Json others = schema.value("additionalProperties", Json(true));
        expect(embed(with(full, "no_such_member", 1)), others == true,
               where + " with an unknown member");
        for (const Json& wrong : {Json(1), Json("text"), Json(true), Json::array()})
            refuse(embed(wrong), where + " being " + wrong.dump());
        const Json properties = schema.value("properties", Json::object());
        for (const auto& [name, property] : properties.items())
            member(full, name, property, where, embed);
        // One that is known would pass: null counts as absent.
        for (const std::string& name : all_names()) {
            if (!properties.contains(name))
                expect(embed(with(full, name, nullptr)), others == true, where + " with " + name);
        }
    }

  private:
    void member(const Json& full, const std::string& name, const Json& described,
                const std::string& where, const Embed& embed) {
        const Json& schema = resolve(document(), described);
        const std::string here = where + "." + name;
        const auto probe = [&](const Json& value, bool fine) {
            expect(embed(with(full, name, value)), fine, here + " being " + value.dump());
        };
        probe(nullptr, schema.value("nullable", false));
        const std::string type = schema.at("type");
        for (const Json& wrong : {Json("text"), Json(1), Json(-1), Json(1.5), Json(1e3), Json(true),
                                  Json::array({1}), Json::array({"text", 1})}) {
            if (!coldstart::testing::has_type(wrong, type))
                probe(wrong, false);
        }
        if (type != "object")
            probe(Json{{"a", 1}}, false);
        if (schema.contains("enum")) {
            words(schema["enum"], probe);
            known_words(schema["enum"], here, refusal(route_, embed(with(full, name, "?"))));
        }
        limits(schema, here, probe);
        if (type == "object")
            object(described, here,
                   [&](const Json& inner) { return embed(with(full, name, inner)); });
    }

    template <typename Probe>
    static void words(const Json& words, const Probe& probe) {
        for (const Json& word : words)
            probe(word, true);
        for (const char* const wrong : {"", "no such word", "Nones", "V"})
            probe(wrong, false);
    }

    /// A parser that lists the words it knows lists no other.
    static void known_words(const Json& words, const std::string& here, const std::string& fault) {
        const std::string_view list_follows = "expected one of ";
        const std::size_t begin = fault.find(list_follows);
        if (begin == std::string::npos || here == ".backend") // one word for each of oneOf
            return;
        std::istringstream list(fault.substr(begin + list_follows.size()));
        for (std::string word; list >> word;) {
            if (word.back() == ',')
                word.pop_back();
            INFO(here << ": " << word);
            CHECK(std::find(words.begin(), words.end(), word) != words.end());
        }
    }

    template <typename Probe>
    static void limits(const Json& schema, const std::string& here, const Probe& probe) {
        const auto limit = [&](const char* name) -> std::optional<std::uint64_t> {
            if (!schema.contains(name) || is_checked_later(here, name))
                return std::nullopt;
            return schema[name].get<std::uint64_t>();
        };
        constexpr std::uint64_t any = std::numeric_limits<std::uint64_t>::max();
        if (const auto minimum = limit("minimum")) {
            probe(*minimum, true);
            probe(*minimum == 0 ? Json(-1) : Json(*minimum - 1), false);
        }
        if (const auto maximum = limit("maximum")) {
            probe(*maximum, true);
            probe(*maximum == any ? Json(18446744073709551616.0) : Json(*maximum + 1), false);
        }
        if (const auto least = limit("minLength"))
            probe(std::string(*least - 1, 'a'), false);
        if (const auto most = limit("maxLength")) {
            probe(std::string(*most, 'a'), true);
            probe(std::string(*most + 1, 'a'), false);
        }
        if (limit("minItems"))
            probe(Json::array(), false);
        if (limit("maxItems"))
            probe(Json::array({Json::object()}), false);
        if (schema.contains("pattern"))
            for (const char* const wrong : {"a-b", "a b", "a/b", "\xc3\xa4", "a\n"})
                probe(wrong, false);
    }

    void accept(const Json& body, const std::string& what) { expect(body, true, what); }
    void refuse(const Json& body, const std::string& what) { expect(body, false, what); }
    void expect(const Json& body, bool fine, const std::string& what) {
        ++probes_;
        INFO(route_.method << " /" << route_.path << what << ": " << body.dump());
        const std::string fault = refusal(route_, body);
        if (fine)
            CHECK(fault == "");
        else
            CHECK(fault != "");
    }

    const Route& route_;
    unsigned probes_ = 0;
};

} // namespace

TEST_CASE("openapi: a document of version 3.0", "[openapi]") {
    CHECK(document().at("openapi") == "3.0.3");
    CHECK(document().at("info").at("title") == "coldstart");
    CHECK(std::all_of(openapi_document().begin(), openapi_document().end(),
                      [](char sign) { return sign == '\n' || (sign >= ' ' && sign <= '~'); }));
}

TEST_CASE("openapi: every route is described and nothing else", "[openapi]") {
    std::set<std::string> routes, described;
    for (const Route& route : api_routes())
        routes.insert(std::string(route.method) + " " + path_of(route));
    for (const auto& [path, item] : document().at("paths").items()) {
        for (const auto& [method, operation] : item.items()) {
            if (method == "parameters")
                continue;
            std::string name = method;
            std::transform(name.begin(), name.end(), name.begin(), [](unsigned char sign) {
                return static_cast<char>(std::toupper(sign));
            });
            described.insert(name + " " + path);
        }
    }
    CHECK(routes == described);
}

TEST_CASE("openapi: operations are complete", "[openapi]") {
    std::set<std::string> ids;
    for (const Route& route : api_routes()) {
        INFO(route.method << " /" << route.path);
        const Json& described = operation(route);
        CHECK(ids.insert(described.at("operationId")).second);
        CHECK_FALSE(described.at("summary").get<std::string>().empty());
        CHECK(described.at("responses").contains("400"));
        const bool takes_body = route.method == "PUT" || route.method == "PATCH";
        CHECK(described.contains("requestBody") == takes_body);
        if (takes_body)
            CHECK(described["requestBody"].at("required") == !route.body_optional);
        const bool has_id = route.path.ends_with("{id}");
        const Json& item = document()["paths"][path_of(route)];
        CHECK(item.contains("parameters") == has_id);
        CHECK(described["responses"].contains("413") == (route.kind == RouteKind::raw));
        if (route.method == "GET")
            CHECK_FALSE(described["responses"].contains("204"));
        else
            CHECK_FALSE(described["responses"].contains("200"));
    }
}

TEST_CASE("openapi: every reference leads somewhere, and every schema is used", "[openapi]") {
    std::set<std::string> used;
    const std::function<void(const Json&)> walk = [&](const Json& value) {
        if (value.is_object() && value.contains("$ref")) {
            CHECK_NOTHROW(resolve(document(), value));
            used.insert(value["$ref"].get<std::string>());
        }
        if (value.is_structured()) {
            for (const Json& inner : value)
                walk(inner);
        }
    };
    walk(document());
    for (const auto& [name, schema] : document()["components"]["schemas"].items()) {
        INFO(name);
        CHECK(used.count("#/components/schemas/" + name) == 1);
    }
}

TEST_CASE("openapi: bodies are what the parsers take, and only that", "[openapi]") {
    for (const Route* const route : routes_with_parser()) {
        if (is_refused(*route))
            continue;
        Prober prober(*route);
        prober.object(body_schema(operation(*route)), "", [](const Json& body) { return body; });
        CHECK(prober.probes() > 5);
    }
}

TEST_CASE("openapi: what is not built is refused and described so", "[openapi]") {
    unsigned count = 0;
    for (const Route* const route : routes_with_parser()) {
        if (!is_refused(*route))
            continue;
        INFO(route->path);
        ++count;
        CHECK(refusal(*route, Json::object()) != "");
        CHECK(operation(*route).at("description").get<std::string>().starts_with("Not built"));
    }
    CHECK(count == 6);
    for (const Route& route : api_routes()) {
        if (route.kind == RouteKind::remove)
            CHECK(operation(route).at("responses").size() == 1);
    }
}

TEST_CASE("openapi: an id in the path is the one in the body", "[openapi]") {
    for (const Route* const route : routes_with_parser()) {
        if (!route->path.ends_with("{id}") || is_refused(*route))
            continue;
        const Json body = sample(document(), body_schema(operation(*route)), true);
        CHECK_THROWS_AS(route->parse(body, "another"), Error);
    }
}

TEST_CASE("openapi: deprecated fields are marked as the parsers mark them", "[openapi]") {
    for (const Route* const route : routes_with_parser()) {
        if (is_refused(*route))
            continue;
        INFO(route->path);
        const Json& schema = resolve(document(), body_schema(operation(*route)));
        const Json minimal = sample(document(), body_schema(operation(*route)), false);
        const Json properties = schema.value("properties", Json::object());
        for (const auto& [name, property] : properties.items()) {
            if (route->parse == &body::put_mmds_config)
                continue; // there it is a value, V1
            const Json body = with(minimal, name, sample(document(), property, true));
            std::optional<std::string_view> id;
            if (route->path.ends_with("{id}"))
                id = minimal.front().get_ref<const std::string&>();
            const bool marked = resolve(document(), property).value("deprecated", false);
            INFO(name);
            CHECK(route->parse(body, id).deprecated == marked);
        }
    }
}

TEST_CASE("openapi: the validator finds what is wrong", "[openapi]") {
    const Json& drive = document()["components"]["schemas"]["Drive"];
    const Json good = sample(document(), drive, true);
    CHECK(fault_of(document(), drive, good) == "");
    CHECK(fault_of(document(), drive, without(good, "path_on_host")) != "");
    CHECK(fault_of(document(), drive, with(good, "no_such_member", 1)) != "");
    CHECK(fault_of(document(), drive, with(good, "is_root_device", 1)) != "");
    CHECK(fault_of(document(), drive, with(good, "cache_type", "unsafe")) != "");
    CHECK(fault_of(document(), drive, with(good, "bootindex", -1)) != "");
    CHECK(fault_of(document(), drive, with(good, "bootindex", std::uint64_t{1} << 32)) != "");
    CHECK(fault_of(document(), drive, with(good, "rate_limiter", Json{{"ops", 1}})) != "");
    CHECK(fault_of(document(), drive, with(good, "rate_limiter", nullptr)) == "");
}
