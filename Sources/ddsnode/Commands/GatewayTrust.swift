// `gateway trust`: makes mail programs accept the gateway's certificate. Thunderbird keeps a list of authorities of its own in each
// profile, which NSS's certutil changes; other programs are given the file.

import ArgumentParser
import DDSCore
import DDSDesktop
import DDSLoop
import DDSNode

extension GatewayCommand {
    struct Trust: NodeCommand {
        static let configuration = CommandConfiguration(
            commandName: "trust", abstract: "Have mail programs trust the gateway's certificate, for TLS.",
            discussion: """
                Tells Thunderbird, in all profiles of yours, and writes the authority's certificate for other mail programs. \
                The authority has signed the one certificate of the gateway, for this computer, and its key is gone: it cannot \
                sign another.
                """)

        @Option(help: ArgumentHelp("Write the authority's certificate to this file as well.", valueName: "file")) var out: String?
        @Flag(help: "Take it out of Thunderbird's profiles again.") var remove = false
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func validate() throws {
            if remove, out != nil { throw ValidationError("--out and --remove exclude each other.") }
        }

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await GatewayCommand.ask(context, remove ? "show" : "trust")
            let stores = NSSStores(authorityName: "ddsnode gateway of \(result["user"]?.string ?? "")")
            guard !remove else {
                let done = try await stores.change(.remove)
                context.output.result(["profiles": .texts(done)]) { Self.words(done, "no longer trusts it", "") }
                return 0
            }
            let certificate = result["certificate"]?.string ?? ""
            if let out {
                do {
                    try HostFiles.write(out, Array(certificate.utf8), mode: 0o644)
                } catch {
                    throw Failure(.cannotCreate, "\(error)")
                }
            }
            let file = result["file"]?.string ?? ""
            let done = try await stores.change(.add(file: file))
            let facts: JSONValue = [
                "profiles": .texts(done), "file": .text(file), "fingerprint": result["fingerprint"] ?? .null,
                "until": result["until"] ?? .null, "tls": result["tls"] ?? .null,
            ]
            context.output.result(facts) {
                Self.words(done, "trusts it from its next start on", "no profile of Thunderbird was found\n")
                    + "authority    \(SafeWord.text(out ?? file))\n"
                    + "fingerprint  \(SafeWord.text(result["fingerprint"]))\n"
                    + "For programs that ask the system: sudo cp \(SafeWord.text(out ?? file)) "
                    + "/usr/local/share/ca-certificates/ddsnode-gateway.crt && sudo update-ca-certificates"
                    + (result["tls"]?.boolean == true ? "" : "\nTLS is off; switch it on with: ddsnode gateway on --tls")
            }
            return 0
        }

        private static func words(_ profiles: [String], _ done: String, _ none: String) -> String {
            profiles.isEmpty ? none : profiles.map { "Thunderbird  \(SafeWord.text($0)) \(done)\n" }.joined()
        }
    }
}

/// The lists of authorities of this person's Thunderbird profiles.
struct NSSStores {
    enum Change: Equatable {
        case add(file: String)
        case remove
    }

    /// Where Thunderbird of the distribution, as a snap and as a flatpak has its profiles, below the home folder.
    private static let places = [
        ".thunderbird", "snap/thunderbird/common/.thunderbird", ".var/app/org.mozilla.Thunderbird/.thunderbird",
    ]
    private static let tool = "certutil"

    /// What lists show; the same name is the same authority.
    let authorityName: String

    private var profiles: [String] {
        let home = Environment.folder("HOME") ?? ""
        return Self.places.map { "\(home)/\($0)" }.flatMap { place in
            ((try? HostFiles.list(place)) ?? []).sorted().map { "\(place)/\($0)" }
        }.filter { HostFiles.exists($0 + "/cert9.db") }
    }

    /// Says in which profiles it was done. Throws when there are some and `certutil` is missing or fails.
    func change(_ change: Change) async throws(Failure) -> [String] {
        let profiles = profiles
        guard !profiles.isEmpty else { return [] }
        guard let program = Programs.find(Self.tool) else {
            throw Failure(
                .fileMissing,
                "Thunderbird's profiles are changed by certutil, which is not there; install it: apt install libnss3-tools")
        }
        var done: [String] = []
        for profile in profiles {
            // One of before may still be there under that name, and NSS keeps both.
            let wasThere = try await removeAll(program, profile)
            switch change {
            case .remove: if wasThere { done.append(profile) }
            case .add(let file):
                let code = try await run(program, ["-A", "-t", "C,,", "-n", authorityName, "-i", file, "-d", "sql:\(profile)"])
                guard code == 0 else {
                    throw Failure(
                        .unavailable,
                        "certutil cannot change \(profile) (status \(code)); end Thunderbird and try again, or have it import "
                            + "\(file) under Settings, Privacy, Certificates")
                }
                done.append(profile)
            }
        }
        return done
    }

    private func removeAll(_ program: String, _ profile: String) async throws(Failure) -> Bool {
        var count = 0
        // It fails when there is none left.
        while count < 20, try await run(program, ["-D", "-n", authorityName, "-d", "sql:\(profile)"]) == 0 { count += 1 }
        return count > 0
    }

    private func run(_ program: String, _ words: [String]) async throws(Failure) -> Int32 {
        let child = try ChildProcess([program] + words, program: program)
        return await Loop.offload { child.waitForEnd() }
    }
}
