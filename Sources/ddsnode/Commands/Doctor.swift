// `doctor`: what is wrong with this machine and installation, and what mends it. It looks things up; what they mean is decided in
// DDSNode's Doctor.

import ArgumentParser
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import Glibc

struct DoctorCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look for what is wrong, and say what mends it.",
        discussion:
            "The exit status is 0 when all is well and 1 when there are warnings. Works with the daemon running or stopped.")

    @Argument(help: "Only these checks: \(Doctor.checks.joined(separator: ", ")).", completion: .list(Doctor.checks)) var check:
        [String] = []
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        if let unknown = check.first(where: { !Doctor.checks.contains($0) }) {
            throw Failure(
                .usage, "there is no check \"\(SafeWord.text(unknown))\"; there are: \(Doctor.checks.joined(separator: ", "))")
        }
        let found = try await findings(context).filter { check.isEmpty || check.contains($0.check) }
        context.output.result(["findings": .list(found.map(\.json))]) {
            found.map { finding in
                let level = finding.level == .ok ? "ok  " : finding.level == .warn ? "warn" : "FAIL"
                let line = "\(level)  \(SafeWord.text(finding.words))"
                let remedy = finding.remedy.isEmpty ? "" : "\n      -> \(SafeWord.text(finding.remedy))"
                return finding.level == .ok ? line : context.output.warning(line) + remedy
            }.joined(separator: "\n")
        }
        return found.allSatisfy { $0.level == .ok } ? 0 : 1
    }

    @LoopActor private func findings(_ context: Context) async throws(Failure) -> [Finding] {
        let config: Config
        do throws(Failure) {
            config = try context.config(for: nil)
        } catch {
            return [Finding("config", .fail, error.publicText, remedy: "ddsnode config check")]
        }
        let status = try await Dispatch.daemon(config, ControlRequest("status"))
        var found = [Finding("config", .ok, "the configuration is read")] + Doctor.daemon(status)
        if let memory = status?["memory"] {
            found.append(
                Doctor.memory(
                    SecretMemory.Figures(
                        held: Int(memory["secret_bytes"]?.integer ?? 0), unlocked: Int(memory["unlocked_bytes"]?.integer ?? 0)))
            )
            found.append(
                Doctor.core(traceable: memory["traceable"]?.boolean ?? true, dumpsCore: memory["core_dumps"]?.boolean ?? true))
        } else {
            let probe = SecretBytes.random(4096)
            found.append(withExtendedLifetime(probe) { Doctor.memory(SecretMemory.figures) })
            found.append(Doctor.core(traceable: ProcessHygiene.isTraceable, dumpsCore: ProcessHygiene.dumpsCore))
        }
        let swaps = (try? HostFiles.read("/proc/swaps")).map { String(decoding: $0, as: UTF8.self) } ?? ""
        found += Doctor.swap(swaps, isEncrypted: Self.isEncrypted)
        found += Doctor.files(Self.privateFiles(config))
        found.append(Doctor.disk(free: Self.freeBytes(config.node.stateDirectory), folder: config.node.stateDirectory))
        if let program = HostFiles.status(Self.program) {
            found.append(Doctor.clock(now: Loop.time.wall, installed: program.modified))
        }
        return found
    }

    /// The state folder, and what in the roles' folders holds keys.
    private static func privateFiles(_ config: Config) -> [(path: String, status: FileStatus)] {
        var paths = [config.node.stateDirectory]
        for role in config.roles {
            let folder = config.stateDirectory(of: role)
            let keys = ((try? HostFiles.list(folder)) ?? []).filter { $0.contains("key") || $0.hasSuffix(".roots") }
            paths += [folder] + keys.map { "\(folder)/\($0)" }
        }
        return paths.compactMap { path in HostFiles.status(path).map { (path, $0) } }
    }

    private static func freeBytes(_ folder: String) -> Int? {
        var status = statvfs()
        guard unsafe statvfs(folder, &status) == 0 else { return nil }
        return Int(clamping: UInt64(status.f_bavail) * UInt64(status.f_frsize))
    }

    /// Swap in compressed memory, or on a device that dm-crypt makes.
    private static func isEncrypted(_ area: String) -> Bool {
        let name = area.split(separator: "/").last.map(String.init) ?? ""
        if name.hasPrefix("zram") { return true }
        let uuid = (try? HostFiles.read("/sys/block/\(name)/dm/uuid")) ?? []
        return uuid.starts(with: Array("CRYPT-".utf8))
    }

    private static var program: String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
