// The addon's functions by topic, as lib/binding/native.ts declares them.
#pragma once
#include <napi.h>

namespace downhill::addon {

void export_process(Napi::Env env, Napi::Object exports);
void export_device(Napi::Env env, Napi::Object exports);
void export_storage(Napi::Env env, Napi::Object exports);
void export_graph(Napi::Env env, Napi::Object exports);
void export_program(Napi::Env env, Napi::Object exports);
void export_updater(Napi::Env env, Napi::Object exports);
void export_training(Napi::Env env, Napi::Object exports);
void export_profile(Napi::Env env, Napi::Object exports);
void export_files(Napi::Env env, Napi::Object exports);

/// exports.name = body(info), with native errors turned into JavaScript errors. Instantiated with a captureless lambda.
#define DH_EXPORT(name, ...)                                                    \
  exports.Set(name, Napi::Function::New(                                        \
                        env,                                                    \
                        [](const Napi::CallbackInfo& info) -> Napi::Value {     \
                          return guarded(info, [&]()->Napi::Value __VA_ARGS__); \
                        },                                                      \
                        name))

}  // namespace downhill::addon
