// What the wrapper stands on: Kotlin that puna-bindgen writes from the library, and the libraries themselves. Built
// with cargo and cargo-ndk, which must be on the path: `cargo install cargo-ndk`, and
// `rustup target add aarch64-linux-android x86_64-linux-android`.
plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "dev.puna.ffi"
    compileSdk = 35
    defaultConfig { minSdk = 26 }
    sourceSets["main"].apply {
        kotlin.srcDir(layout.buildDirectory.dir("generated/uniffi"))
        jniLibs.srcDir(layout.buildDirectory.dir("jniLibs"))
    }
}

kotlin { jvmToolchain(17) }

val workspace = rootDir.parentFile!!

val cargoNdk by tasks.registering(Exec::class) {
    description = "Builds libpuna_ffi.so for phones and for emulators."
    workingDir = workspace
    val out = layout.buildDirectory.dir("jniLibs").get().asFile
    commandLine(
        "cargo", "ndk", "--platform", "26", "--target", "arm64-v8a", "--target", "x86_64", "--output-dir", out,
        "build", "--locked", "--release", "--package", "puna-ffi",
    )
    // Phones with pages of 16 KB load nothing that is aligned to less.
    environment("RUSTFLAGS", "-C link-arg=-Wl,-z,max-page-size=16384")
}

val bindgen by tasks.registering(Exec::class) {
    description = "Writes the Kotlin of the bindings from the library."
    dependsOn(cargoNdk)
    workingDir = workspace
    val library = layout.buildDirectory.file("jniLibs/arm64-v8a/libpuna_ffi.so").get().asFile
    val out = layout.buildDirectory.dir("generated/uniffi").get().asFile
    commandLine(
        "cargo", "run", "--locked", "--package", "puna-bindgen", "--", "generate", "--language", "kotlin",
        "--no-format", "--config", "ffi/bindings.toml", "--out-dir", out, library,
    )
}

tasks.named("preBuild") { dependsOn(bindgen) }

dependencies {
    api(libs.coroutines.core)
    implementation(libs.jna) { artifact { type = "aar" } }
}
