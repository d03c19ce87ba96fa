// source_line.h - from a program counter to the line of the kernel.
#pragma once

#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <unordered_map>

namespace reidops::emulator {

// The line of the instruction before `pc`, or its offset where binutils' addr2line is not there to ask.  Functions are
// inlined into one another: of the lines that the instruction stands for, the first in a kernel file is the one wanted.
inline std::string look_up(const void* pc) {
  Dl_info library{};
  if (dladdr(pc, &library) == 0) return "an unknown place";
  const auto distance = static_cast<const char*>(pc) - static_cast<const char*>(library.dli_fbase);
  char offset[32];
  std::snprintf(offset, sizeof offset, "0x%tx", distance - 1);
  std::string found;
  const std::string command = "addr2line -s -i -e '" + std::string(library.dli_fname) + "' " + offset + " 2>/dev/null";
  if (std::FILE* pipe = popen(command.c_str(), "r")) {
    char line[512];
    while (std::fgets(line, sizeof line, pipe) != nullptr && found.find(".cuh:") == std::string::npos) {
      const std::string place(line, std::strcspn(line, " \n"));
      if (found.empty() || place.find(".cuh:") != std::string::npos) found = place;
    }
    pclose(pipe);
  }
  return found.empty() || found[0] == '?' ? std::string("offset ") + offset : found;
}

// " at solver.cuh:40"
inline std::string at(const void* pc) {
  static std::unordered_map<const void*, std::string> known;
  std::string& place = known[pc];
  if (place.empty()) place = look_up(pc);
  return " at " + place;
}

}  // namespace reidops::emulator
