#include "backend/cuda/simt/modules.h"

#include <cxxabi.h>
#include <elf.h>
#include <link.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

namespace downhill::cuda::simt {

namespace {

struct Symbol {
  std::string name;
  uintptr_t at;
  size_t size;
  bool function;
};

struct Module {
  std::string path;
  uintptr_t base = 0;
  const char *data_begin = nullptr, *data_end = nullptr;
  std::vector<Symbol> symbols;  // functions, and variables without an initial value
};

std::vector<char> read_file(const std::string& path) {
  std::vector<char> bytes;
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) return bytes;
  char part[65536];
  for (size_t n; (n = std::fread(part, 1, sizeof part, file)) > 0;) bytes.insert(bytes.end(), part, part + n);
  std::fclose(file);
  return bytes;
}

/// count elements at offset, or null when the file is too short.
template <class T>
const T* within(const std::vector<char>& file, uint64_t offset, uint64_t count = 1) {
  if (offset > file.size() || count > (file.size() - offset) / sizeof(T)) return nullptr;
  return reinterpret_cast<const T*>(file.data() + offset);
}

void read_symbols(Module& module) {
  const std::vector<char> file = read_file(module.path);
  const auto* header = within<ElfW(Ehdr)>(file, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return;
  const auto* sections = within<ElfW(Shdr)>(file, header->e_shoff, header->e_shnum);
  if (!sections) return;
  for (int i = 0; i < header->e_shnum; ++i) {
    if (sections[i].sh_type != SHT_SYMTAB || sections[i].sh_link >= header->e_shnum) continue;
    const auto& names = sections[sections[i].sh_link];
    const size_t count = sections[i].sh_size / sizeof(ElfW(Sym));
    const auto* symbols = within<ElfW(Sym)>(file, sections[i].sh_offset, count);
    const char* text = within<char>(file, names.sh_offset, names.sh_size);
    if (!symbols || !text || names.sh_size == 0 || text[names.sh_size - 1] != '\0') continue;
    for (size_t s = 0; s < count; ++s) {
      const auto& symbol = symbols[s];
      const int type = symbol.st_info & 15;
      if (symbol.st_name >= names.sh_size || symbol.st_shndx == 0 || symbol.st_shndx >= header->e_shnum) continue;
      const auto& section = sections[symbol.st_shndx];
      const bool zeroed = section.sh_type == SHT_NOBITS && !(section.sh_flags & SHF_TLS);
      if (type != STT_FUNC && !(type == STT_OBJECT && zeroed)) continue;
      module.symbols.push_back(
          {text + symbol.st_name, module.base + symbol.st_value, symbol.st_size, type == STT_FUNC});
    }
  }
}

struct Search {
  uintptr_t address;
  Module* found;
};

int visit(dl_phdr_info* info, size_t, void* context) {
  auto& search = *static_cast<Search*>(context);
  bool inside = false;
  Module module;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD) continue;
    const uintptr_t begin = info->dlpi_addr + segment.p_vaddr, end = begin + segment.p_memsz;
    inside = inside || (search.address >= begin && search.address < end);
    if (segment.p_flags & PF_W) {
      module.data_begin = reinterpret_cast<const char*>(begin);
      module.data_end = reinterpret_cast<const char*>(end);
    }
  }
  if (!inside) return 0;
  module.path = info->dlpi_name && *info->dlpi_name ? info->dlpi_name : "/proc/self/exe";
  module.base = info->dlpi_addr;
  *search.found = std::move(module);
  return 1;
}

std::string readable(const std::string& mangled) {
  int status = 0;
  char* text = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  std::string name = status == 0 && text ? text : mangled;
  std::free(text);
  if (name.empty() || name.back() != ')') return name;
  int depth = 0;  // cut off the parameters: the last pair of brackets
  for (size_t i = name.size(); i-- > 0;) {
    depth += name[i] == ')' ? 1 : name[i] == '(' ? -1 : 0;
    if (depth == 0) return name.substr(0, i);
  }
  return name;
}

}  // namespace

const KernelInfo& kernel_info(const void* kernel) {
  static auto& modules = *new std::unordered_map<uintptr_t, Module>;
  static auto& kernels = *new std::unordered_map<const void*, KernelInfo>;
  const auto known = kernels.find(kernel);
  if (known != kernels.end()) return known->second;

  KernelInfo info;
  Module found;
  Search search{reinterpret_cast<uintptr_t>(kernel), &found};
  if (dl_iterate_phdr(visit, &search)) {
    auto& module = modules[found.base];
    if (module.path.empty()) {
      module = std::move(found);
      read_symbols(module);
    }
    info.data_begin = module.data_begin;
    info.data_end = module.data_end;
    std::string mangled;
    for (const auto& symbol : module.symbols) {
      if (symbol.function && symbol.at == search.address && symbol.name.rfind("_Z", 0) == 0) mangled = symbol.name;
    }
    if (!mangled.empty()) {
      info.name = readable(mangled);
      const std::string prefix = "_ZZ" + mangled.substr(2) + "E";  // of variables local to it
      for (const auto& symbol : module.symbols) {
        if (symbol.function || symbol.name.rfind(prefix, 0) != 0) continue;
        info.shared.push_back({reinterpret_cast<char*>(symbol.at), symbol.size});
      }
    }
  }
  return kernels.emplace(kernel, std::move(info)).first->second;
}

}  // namespace downhill::cuda::simt
