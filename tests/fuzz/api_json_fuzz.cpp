// JSON text as a client may send it, damaged in every way, through the reader, the parser of every
// request and that of configuration files: nothing but Error may come of it, and what is taken has
// to be within its limits.
//
//     api_json_fuzz [iterations [seed]]
#include "api/http/api_routes.h"
#include "api/http/openapi.h"
#include "api/json/answer_json.h"
#include "api/json/config_file.h"
#include "api/json/json_reader.h"
#include "api/json/metadata_store.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <cstdio>
#include <random>
#include <string>
#include <vector>

using namespace coldstart;

namespace {

const std::vector<std::string> pieces = {"{",
                                         "}",
                                         "[",
                                         "]",
                                         ",",
                                         ":",
                                         "\"",
                                         "\\",
                                         "null",
                                         "true",
                                         "false",
                                         "0",
                                         "-1",
                                         "-0",
                                         "1.0",
                                         "1e400",
                                         "{}",
                                         "[]",
                                         "\"\"",
                                         "\"V1\"",
                                         "\\ud800",
                                         "\\u0000",
                                         " ",
                                         "\t",
                                         "\r\n",
                                         "//",
                                         "\xff",
                                         "\xc3",
                                         "\xef\xbb\xbf",
                                         "\xed\xa0\x80",
                                         "256",
                                         "65536",
                                         "4294967296",
                                         "9223372036854775808",
                                         "18446744073709551615",
                                         "18446744073709551616",
                                         "\"rate_limiter\":",
                                         "\"size\":",
                                         "\"drives\":",
                                         "\"boot-source\":",
                                         "\"drive_id\":\"a\""};

/// Bodies to begin with: the examples of the document, and sections made of them.
class Corpus {
  public:
    Corpus() : document_(parse_json(openapi_document())) {
        Json file = {{"boot-source", {{"kernel_image_path", "/k"}}}, {"drives", Json::array()}};
        for (const auto& [name, schema] : document_.at("components").at("schemas").items())
            texts_.push_back(example(schema).dump());
        for (const char* const name : {"vsock", "balloon", "entropy", "logger", "machine-config"})
            file[name] = example(schema_of(name));
        file["drives"].push_back(example(schema_of("drives/{id}")));
        texts_.push_back(file.dump(1));
        texts_.push_back(std::string(60, '[') + std::string(60, ']'));
    }

    const std::vector<std::string>& texts() const noexcept { return texts_; }

  private:
    const Json& schema_of(const std::string& route) const {
        return document_.at("paths")
            .at("/" + route)
            .at("put")
            .at("requestBody")
            .at("content")
            .at("application/json")
            .at("schema");
    }

    Json example(const Json& schema) const {
        if (schema.contains("$ref"))
            return example(
                document_.at(Json::json_pointer(schema["$ref"].get<std::string>().substr(1))));
        if (schema.contains("example"))
            return schema["example"];
        if (schema.contains("enum"))
            return schema["enum"].front();
        if (schema.contains("oneOf"))
            return example(schema["oneOf"].front());
        if (schema.contains("properties")) {
            Json object = Json::object();
            const Json& properties = schema["properties"];
            for (const auto& [name, property] : properties.items())
                object[name] = example(property);
            return object;
        }
        if (schema.value("type", "") == "array")
            return Json::array({example(schema.at("items"))});
        return schema.value("type", "") == "boolean" ? Json(true) : Json(3);
    }

    Json document_;
    std::vector<std::string> texts_;
};

class Fuzzer {
  public:
    explicit Fuzzer(std::uint64_t seed) : random_(seed) {}

    std::uint64_t taken() const noexcept { return taken_; }

    void run(const Corpus& corpus) {
        std::string text = corpus.texts()[below(corpus.texts().size())];
        for (std::uint64_t i = below(4); i != 0; --i)
            damage(text);
        Json value;
        try {
            value = parse_json(text);
        } catch (const Error&) {
            return;
        }
        // What was read can be written and read again.
        if (parse_json(value.dump()) != value)
            throw std::logic_error("a value changed on its way");
        for (const Route& route : api_routes())
            request(route, value);
        file(text);
        metadata(text);
    }

  private:
    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

    void damage(std::string& text) {
        const std::size_t at = below(text.size() + 1);
        switch (below(6)) {
        case 0:
            text.insert(at, pieces[below(pieces.size())]);
            break;
        case 1:
            text.erase(at, below(8));
            break;
        case 2:
            if (at < text.size())
                text[at] = static_cast<char>(random_());
            break;
        case 3:
            text.insert(at, text.substr(below(text.size() + 1), below(40)));
            break;
        default:
            value(text);
            break;
        }
    }

    /// Puts something else where a value stands.
    void value(std::string& text) {
        const std::size_t colon = text.find(':', below(text.size() + 1));
        if (colon == std::string::npos)
            return;
        const std::size_t end = text.find_first_of(",}", colon);
        if (end != std::string::npos)
            text.replace(colon + 1, end - colon - 1, pieces[below(pieces.size())]);
    }

    void request(const Route& route, const Json& body) {
        if (route.parse == nullptr)
            return;
        try {
            const ParsedRequest parsed = route.parse(
                body, below(2) == 0 ? std::optional<std::string_view>("a") : std::nullopt);
            check(parsed.request);
            ++taken_;
        } catch (const Error& error) {
            said(error);
        }
    }

    void file(const std::string& text) {
        try {
            for (const Request& request : parse_config_file(text))
                check(request);
            ++taken_;
        } catch (const Error& error) {
            said(error);
        }
    }

    void metadata(const std::string& text) {
        try {
            store_.patch(text);
            parse_json(store_.json());
        } catch (const Error& error) {
            said(error);
            store_.put("{}");
        }
    }

    /// A fault goes into one line of JSON, whatever the client sent.
    static void said(const Error& error) {
        const Json answer = parse_json(fault_json(error.what()));
        if (answer.at("fault_message").get<std::string>().find('\n') != std::string::npos)
            throw std::logic_error("a fault has more than one line");
    }

    static void check(const Request& request) {
        bool fine = true;
        if (const auto* const vsock = std::get_if<PutVsock>(&request))
            fine = vsock->vsock.guest_cid >= 3 && vsock->vsock.guest_cid != 0xffffffff;
        if (const auto* const net = std::get_if<PutNetworkInterface>(&request))
            fine = (net->net.mtu == 0 || net->net.mtu >= 68) && net->net.tap.size() <= 15 &&
                   !net->net.id.empty();
        if (const auto* const drive = std::get_if<PutDrive>(&request))
            fine = !drive->disk.id.empty();
        if (const auto* const machine = std::get_if<PutMachineConfig>(&request))
            fine = machine->value.vcpu_count <= 255;
        if (!fine)
            throw std::logic_error("a request is beyond its limits");
    }

    std::mt19937_64 random_;
    MetadataStore store_;
    std::uint64_t taken_ = 0;
};

} // namespace

int main(int argc, char** argv) {
    const auto iterations = argc > 1 ? parse_decimal(argv[1]) : 20000;
    const auto seed = argc > 2 ? parse_decimal(argv[2]) : 1;
    if (!iterations || !seed) {
        std::fprintf(stderr, "usage: api_json_fuzz [iterations [seed]]\n");
        return 2;
    }
    const Corpus corpus;
    Fuzzer fuzzer(*seed);
    for (std::uint64_t i = 0; i < *iterations; ++i) {
        try {
            fuzzer.run(corpus);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "api_json_fuzz: seed %llu, round %llu: %s\n",
                         static_cast<unsigned long long>(*seed), static_cast<unsigned long long>(i),
                         error.what());
            return 1;
        }
    }
    std::printf("api_json_fuzz: %llu rounds from seed %llu, %llu bodies taken\n",
                static_cast<unsigned long long>(*iterations),
                static_cast<unsigned long long>(*seed),
                static_cast<unsigned long long>(fuzzer.taken()));
    return *iterations >= 1000 && fuzzer.taken() < 100 ? 1 : 0;
}
