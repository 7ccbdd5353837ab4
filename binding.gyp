{
  # A shim for node-gyp and prebuildify: CMakeLists.txt is the build definition.
  "targets": [
    {
      "target_name": "downhill",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["<(PRODUCT_DIR)/downhill.node"],
          "action": ["node", "scripts/build-native.mjs", "--out", "<(PRODUCT_DIR)"]
        }
      ]
    }
  ]
}
