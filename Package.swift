// swift-tools-version: 6.2
import PackageDescription

/// One language dialect for every target of ours: Swift 6 concurrency, no implicit existentials or re-exports,
/// nothing unsafe without the word, and no warning left standing.
let dialect: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// For targets that tests put through some hundred thousand schedules: optimized in debug builds too, with their assertions.
let fast: [SwiftSetting] = [.unsafeFlags(["-O", "-assert-config", "Debug"], .when(configuration: .debug))]

func source(
    _ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = [], settings: [SwiftSetting] = []
) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: dialect + settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: dialect)
}

func library(_ name: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let package = Package(
    name: "ddsnode",
    products: [.executable(name: "ddsnode", targets: ["ddsnode"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    ],
    targets: [
        library("CUV", pkgConfig: "libuv", apt: "libuv1-dev"),
        library("CSodium", pkgConfig: "libsodium", apt: "libsodium-dev"),
        library("COpenSSL", pkgConfig: "openssl", apt: "libssl-dev"),
        library("CGMime", pkgConfig: "gmime-3.0", apt: "libgmime-3.0-dev"),
        library("CMicroHTTPD", pkgConfig: "libmicrohttpd", apt: "libmicrohttpd-dev"),
        library("CSystemd", pkgConfig: "libsystemd", apt: "libsystemd-dev"),
        library("CGumbo", pkgConfig: "gumbo", apt: "libgumbo-dev"),
        library("CICU", pkgConfig: "icu-i18n", apt: "libicu-dev"),
        library("CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),

        source("DDSLock"),
        source("DDSCore", settings: fast),
        source("DDSLoop", ["CUV", "DDSLock", "DDSCore"]),
        source("DDSSystemd", ["CSystemd", "DDSCore", "DDSLoop"]),
        source("DDSDesktop", ["DDSCore", "DDSLoop", "DDSSystemd"]),
        source("DDSTLS", ["COpenSSL", "DDSCore"]),
        source("DDSSeal", ["CSodium", "DDSLock", "DDSCore", .product(name: "Crypto", package: "swift-crypto")]),
        source("DDSSpool", ["DDSCore"], settings: fast),
        source("DDSBus", ["DDSCore"]),
        source("DDSWire", ["DDSCore"], settings: fast),
        source("DDSTorture", ["DDSLock", "DDSCore", "DDSSpool", "DDSWire"], settings: fast),
        source("DDSMail", ["CGMime", "DDSCore"]),
        source("DDSUnicode", ["CICU"]),
        source("DDSSearch", ["CSQLite", "DDSLock", "DDSCore", "DDSUnicode"]),
        source("DDSHTML", ["CGumbo", "DDSUnicode", "DDSMail"]),
        source("DDSHTTP", ["CMicroHTTPD", "DDSCore", "DDSLoop"]),
        source(
            "DDSNode",
            [
                "CSystemd", "DDSLock", "DDSCore", "DDSLoop", "DDSDesktop", "DDSTLS", "DDSSeal", "DDSSpool", "DDSBus", "DDSWire",
                "DDSMail",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "TOMLKit", package: "TOMLKit"),
            ]),
        source("DDSServer", ["DDSNode"]),
        source(
            "DDSAgent",
            [
                "DDSNode", "DDSHTTP", "DDSUnicode", "DDSHTML", "DDSSearch", "DDSSystemd", "DDSDesktop",
                .product(name: "Mustache", package: "swift-mustache"),
            ]),
        .executableTarget(
            name: "ddsnode",
            dependencies: [
                "DDSServer", "DDSAgent", "DDSDesktop", "DDSTorture",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: dialect),

        // The load generator of `make bench`; not a product, never installed.
        .executableTarget(
            name: "ddsbench",
            dependencies: [
                "COpenSSL", "CSodium", "CSQLite", "DDSCore", "DDSLoop", "DDSTLS", "DDSSeal", "DDSMail", "DDSSearch", "DDSNode",
                "DDSServer",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            path: "Tests/Bench/ddsbench", swiftSettings: dialect),

        source("DDSTestKit", ["DDSLock", "DDSCore", "DDSLoop", "DDSSpool", "DDSBus", "DDSWire", "DDSTorture"]),
        tests("DDSCoreTests", ["DDSCore", "DDSTestKit"]),
        tests("DDSLoopTests", ["DDSLoop", "DDSTestKit"]),
        tests("DDSDesktopTests", ["DDSDesktop", "DDSSystemd", "DDSTestKit"]),
        tests("DDSTLSTests", ["DDSTLS", "DDSTestKit"]),
        tests("DDSSealTests", ["DDSSeal", "DDSTestKit", .product(name: "Crypto", package: "swift-crypto")]),
        tests("DDSSpoolTests", ["DDSSpool", "DDSTestKit"]),
        tests("DDSBusTests", ["DDSBus", "DDSTestKit"]),
        tests("DDSWireTests", ["DDSWire", "DDSTestKit"]),
        tests("DDSMailTests", ["DDSMail", "DDSTestKit"]),
        tests("DDSUnicodeTests", ["DDSUnicode"]),
        tests("DDSSearchTests", ["DDSSearch", "DDSTestKit"]),
        tests("DDSHTMLTests", ["DDSHTML", "DDSTestKit"]),
        tests("DDSHTTPTests", ["DDSHTTP", "DDSTestKit"]),
        tests("DDSNodeTests", ["DDSNode", "DDSTestKit"]),
        tests("DDSServerTests", ["DDSServer", "DDSTestKit"]),
        tests("DDSAgentTests", ["DDSAgent", "DDSSearch", "DDSTestKit"]),
        tests("DDSStoryTests", ["DDSServer", "DDSAgent", "DDSTestKit"]),
    ]
)
