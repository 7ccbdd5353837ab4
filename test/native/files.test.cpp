// Checksums, atomic files and tensor files: vectors, round trips, damage, and what is left behind when a write fails.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "check.h"
#include "core/error.h"
#include "io/atomic_file.h"
#include "io/tensor_file.h"
#include "io/xxhash64.h"

using namespace downhill;
namespace fs = std::filesystem;

namespace {

fs::path folder;

uint64_t sum(const void* data, size_t bytes, uint64_t seed = 0) {
  XxHash64 hash(seed);
  hash.update(data, bytes);
  return hash.digest();
}

/// The vectors of xxHash's own sanity check: bytes of a multiplicative generator, with and without a seed.
void test_vectors() {
  CHECK(sum("", 0) == 0xEF46DB3751D8E999);
  CHECK(sum("a", 1) == 0xD24EC4F1A98C6E5B);
  CHECK(sum("abc", 3) == 0x44BC2CF5AD770999);
  constexpr uint64_t kPrime32 = 2654435761, kPrime64 = 11400714785074694797u;
  std::vector<unsigned char> bytes(222);
  uint64_t generator = kPrime32;
  for (unsigned char& byte : bytes) {
    byte = static_cast<unsigned char>(generator >> 56);
    generator *= kPrime64;
  }
  CHECK(sum(bytes.data(), 1) == 0xE934A84ADB052768);
  CHECK(sum(bytes.data(), 1, kPrime32) == 0x5014607643A9B4C3);
  CHECK(sum(bytes.data(), 4) == 0x9136A0DCA57457EE);
  CHECK(sum(bytes.data(), 14) == 0x8282DCC4994E35C8);
  CHECK(sum(bytes.data(), 14, kPrime32) == 0xC3BD6BF63DEB6DF0);
  CHECK(sum(bytes.data(), 222) == 0xB641AE8CB691C174);
  CHECK(sum(bytes.data(), 222, kPrime32) == 0x20CB8AB7AE10C14A);
}

void test_streaming_equals_one_piece() {
  std::vector<unsigned char> bytes(4099);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i * 131 + (i >> 8));
  for (size_t size : {0, 1, 31, 32, 33, 63, 64, 65, 1000, 4099})
    for (size_t piece : {1, 3, 7, 31, 32, 33, 100}) {
      XxHash64 hash;
      for (size_t at = 0; at < size; at += piece) hash.update(bytes.data() + at, std::min(piece, size - at));
      CHECK(hash.digest() == sum(bytes.data(), size), "%zu bytes in pieces of %zu", size, piece);
    }
}

std::string contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void put(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

size_t entries() { return static_cast<size_t>(std::distance(fs::directory_iterator(folder), {})); }

template <typename F>
std::string failing(const char* code, F&& body) {
  try {
    body();
  } catch (const Error& error) {
    CHECK(std::strcmp(error.code(), code) == 0, "%s: %s", error.code(), error.what());
    return error.what();
  }
  CHECK(false, "nothing was thrown");
  return "";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void write(const fs::path& path, const std::string& text) {
  AtomicFile file(path.string());
  file.write(text.data(), text.size());
  file.commit();
}

void test_atomic_file() {
  const fs::path path = folder / "a";
  {
    AtomicFile file(path.string());
    file.write("half", 4);
    CHECK(!fs::exists(path));
    CHECK(entries() == 1);
  }
  CHECK(entries() == 0, "the temporary file stayed");
  write(path, "one");
  CHECK(contents(path) == "one");
  ::chmod(path.c_str(), 0640);
  const std::string old_temporary = path.string() + "." + std::to_string(::getpid()) + ".2.tmp";
  put(old_temporary, "left by another");
  write(path, "two");
  write(path, "three");
  CHECK(contents(path) == "three");
  CHECK(contents(old_temporary) == "left by another");
  struct stat status;
  ::stat(path.c_str(), &status);
  CHECK((status.st_mode & 07777) == 0640, "mode %o", status.st_mode);
  fs::create_symlink("a", folder / "link");
  write(folder / "link", "four");
  CHECK(fs::is_symlink(folder / "link") && contents(path) == "four");
  const std::string longest(250, 'n');
  write(folder / longest, "five");
  CHECK(contents(folder / longest) == "five");
  for (const auto& entry : fs::directory_iterator(folder)) fs::remove(entry);
}

void test_refusals() {
  fs::create_directory(folder / "d");
  const auto refused = [](const fs::path& path, const std::string& reason) {
    const std::string message = failing(code::kFileError, [&] { write(path, "x"); });
    CHECK(has(message, path.string()) && has(message, reason), "%s", message.c_str());
  };
  refused(folder / "d", "Is a directory");
  refused(folder / "missing" / "x", "No such file");
  put(folder / "file", "x");
  refused(folder / "file" / "x", "Not a directory");
  refused("/dev/null", "device");
  ::mkfifo((folder / "pipe").c_str(), 0600);
  refused(folder / "pipe", "pipe");
  failing(code::kFileError, [] { read_tensor_file((folder / "pipe").string(), {}, true); });
  failing(code::kFileError, [] { read_tensor_file((folder / "d").string(), {}, true); });
  failing(code::kFileError, [] { read_tensor_file((folder / "missing").string(), {}, true); });
  if (::geteuid() != 0) {
    ::chmod((folder / "d").c_str(), 0500);
    refused(folder / "d" / "x", "Permission denied");
    ::chmod((folder / "file").c_str(), 0400);
    refused(folder / "file", "Permission denied");
  }
  CHECK(entries() == 3);
  fs::remove(folder / "pipe");
}

/// A rename onto a folder that appeared meanwhile fails; the temporary file goes.
void test_rename_that_fails() {
  const fs::path path = folder / "late";
  failing(code::kFileError, [&] {
    AtomicFile file(path.string());
    file.write("x", 1);
    fs::create_directory(path);
    file.commit();
  });
  CHECK(fs::is_directory(path) && fs::is_empty(path));
  CHECK(entries() == 3);
}

std::shared_ptr<Storage> numbers(size_t count, unsigned seed) {
  auto storage = std::make_shared<Storage>();
  storage->buffer = std::make_shared<Buffer>(count);
  storage->bytes = count;
  for (size_t i = 0; i < count; ++i) storage->data()[i] = static_cast<std::byte>(((i + seed) * 2654435761u) >> 13);
  return storage;
}

bool equal(const Storage& a, const Storage& b) {
  return a.bytes == b.bytes && std::memcmp(a.data(), b.data(), a.bytes) == 0;
}

void test_tensor_file() {
  const std::string path = (folder / "t").string();
  const std::vector<std::byte> head(64, std::byte{7});
  const auto a = numbers(3'000'000, 1), empty = numbers(0, 2), b = numbers(12, 3);
  write_tensor_file(path, head, {a, empty, b}, true);
  CHECK(fs::file_size(path) == 64 + 3'000'000 + 12 + 8);
  const auto read = [&](bool checksum) {
    const auto to_a = numbers(a->bytes, 9), to_b = numbers(b->bytes, 9), twice = numbers(b->bytes, 9),
               nothing = numbers(0, 0);
    const uint64_t before = to_a->buffer->version;
    read_tensor_file(path, {{64 + 3'000'000, to_b}, {64, to_a}, {64 + 3'000'000, twice}, {64, nothing}}, checksum);
    CHECK(equal(*a, *to_a) && equal(*b, *to_b) && equal(*b, *twice));
    CHECK(to_a->buffer->version != before);
  };
  read(true);
  read(false);
  const std::string whole = contents(path);
  const auto target = numbers(12, 0);
  for (size_t at : {size_t{0}, size_t{63}, size_t{64}, size_t{1'500'000}, whole.size() - 9, whole.size() - 1}) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    put(path, damaged);
    const std::string message = failing(code::kCorruptFile, [&] { read_tensor_file(path, {}, true); });
    CHECK(has(message, path) && has(message, "checksum"), "%s", message.c_str());
  }
  for (size_t size : {size_t{0}, size_t{7}, size_t{8}, whole.size() - 1}) {
    put(path, whole.substr(0, size));
    failing(code::kCorruptFile, [&] { read_tensor_file(path, {}, true); });
  }
  put(path, whole.substr(0, 100));
  for (uint64_t offset : {uint64_t{89}, uint64_t{100}, ~uint64_t{0}, ~uint64_t{11}})
    CHECK(has(failing(code::kCorruptFile, [&] { read_tensor_file(path, {{offset, target}}, false); }), "truncated"));
  fs::remove(path);
}

/// A limit on file sizes stands for a full disk: the old file stays, and nothing else.
void test_no_room() {
  const std::string path = (folder / "full").string();
  write(path, "the old contents");
  const size_t before = entries();
  rlimit old;
  ::getrlimit(RLIMIT_FSIZE, &old);
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit low{1'500'000, old.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &low);
  const std::string message = failing(
      code::kFileError, [&] { write_tensor_file(path, {}, {numbers(1'000'000, 1), numbers(1'000'000, 2)}, true); });
  ::setrlimit(RLIMIT_FSIZE, &old);
  CHECK(has(message, path) && has(message, "File too large"), "%s", message.c_str());
  CHECK(contents(path) == "the old contents" && entries() == before);
  if (::access("/dev/full", W_OK) == 0)
    CHECK(has(failing(code::kFileError, [] { write("/dev/full", "x"); }), "device"));
}

}  // namespace

int main() {
  std::string pattern = (fs::temp_directory_path() / "downhill-files-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) return 1;
  folder = pattern;
  test_vectors();
  test_streaming_equals_one_piece();
  test_atomic_file();
  test_refusals();
  test_rename_that_fails();
  test_tensor_file();
  test_no_room();
  fs::remove_all(folder);
  return test::report("files");
}
