// Why a spool was not opened, in a sentence that names the remedy, with its exit code (CLI.md section 6). Everything here is
// asked before the first byte changes.

package import DDSCore
import DDSLoop
import DDSSpool

enum SpoolRefusal: Error {
    case missingFolder
    case readableByOthers(FileStatus)
    case notAFolder
    case network(FileSystem)

    /// What can be said of the folder without opening the spool. Gives the file system it is on.
    static func checkGround(_ folder: String) throws(SpoolRefusal) -> FileSystem {
        guard let status = HostFiles.status(folder) else { throw .missingFolder }
        guard status.kind == .folder else { throw .notAFolder }
        guard status.isPrivate else { throw .readableByOthers(status) }
        let ground = FileSystem.under(folder)
        guard ground.verdict != .network else { throw .network(ground) }
        return ground
    }

    static func failure(_ error: any Error, folder: String, keys: SpoolKeySource) -> Failure {
        switch error {
        case let error as SpoolRefusal: error.failure(folder)
        case let error as SpoolOpenError: failure(error, folder)
        case let error as SpoolRoots.Problem: failure(error, keys)
        case let error as DiskError: failure(error, folder)
        case SpoolError.full:
            Failure(.cannotCreate, "the spool in \(folder) cannot be opened: the disk is full; make room and start again")
        default: Failure(.inputOutput, "cannot open the spool in \(folder): \(error)")
        }
    }

    private func failure(_ folder: String) -> Failure {
        switch self {
        case .missingFolder:
            Failure(.fileMissing, "there is no spool in \(folder); it was moved or init was never run. Nothing was changed")
        case .notAFolder:
            Failure(.badInput, "\(folder) is no folder; move what is there away. Nothing was changed")
        case .readableByOthers(let status):
            Failure(
                .permission,
                "the spool's folder \(folder) has mode \(String(status.mode, radix: 8)) and owner \(status.owner): others could read or "
                    + "change it; run: chmod 700 \(folder), and chown it to the node's user. Nothing was changed")
        case .network(let ground):
            Failure(
                .configuration,
                "\(folder) is on a network file system (\(ground.type)), where neither a lock nor a sync can be relied upon; "
                    + "move node.state_dir to a local disk. Nothing was changed")
        }
    }

    private static func failure(_ error: SpoolOpenError, _ folder: String) -> Failure {
        let start = "the spool in \(folder) cannot be opened: \(error)"
        return switch error {
        case .disk(let disk): failure(disk, folder)
        case .missing: Failure(.fileMissing, "\(start). Restore it or run init in another folder. Nothing was changed")
        case .wrongRoot: Failure(.badInput, "\(start). Put the key back that belongs to it. Nothing was changed")
        case .newerVersion: Failure(.badInput, "\(start). Install the newer program. Nothing was changed")
        case .foreign: Failure(.badInput, "\(start). Move that file away. Nothing was changed")
        case .invalid, .exists: Failure(.inputOutput, "\(start). Nothing was changed")
        case .damaged:
            Failure(
                .inputOutput,
                "\(start)\nCopy the folder away and look for the disk's fault; to go on without what is lost, start with --accept-loss. "
                    + "Nothing was changed")
        }
    }

    private static func failure(_ error: SpoolRoots.Problem, _ keys: SpoolKeySource) -> Failure {
        guard case .rotating(let folder, _) = keys else { return Failure(.bug, "a fixed root has no file") }
        let file = folder + "/" + SpoolRoots.fileName
        return switch error {
        case .missing:
            Failure(
                .fileMissing,
                "the spool's root keys \(file) are missing: without them nothing in the spool can be opened; "
                    + "put the file back where it was. Nothing was changed")
        case .doesNotOpen:
            Failure(
                .badInput,
                "\(file) does not open with the node's master key: it belongs to another node or is damaged. Nothing was changed"
            )
        case .newerVersion(let version):
            Failure(.badInput, "\(file) has version \(version), which a newer program wrote; install that. Nothing was changed")
        case .disk(let disk): failure(disk, folder)
        }
    }

    private static func failure(_ error: DiskError, _ folder: String) -> Failure {
        switch error.kind {
        case .locked:
            Failure(.tryAgain, "the spool in \(folder) is in use by another process; stop it, or use its control socket")
        case .notFound: SpoolRefusal.missingFolder.failure(folder)
        case .permission:
            Failure(
                .permission,
                "this user may not use the spool in \(folder) (\(error)); run as the node's user, or chown it to that. Nothing was changed"
            )
        case .readOnly: .readOnly(folder)
        default: Failure(.inputOutput, "cannot open the spool in \(folder): \(error)")
        }
    }
}

extension Failure {
    /// For whatever in a node's folder is opened to be written.
    package static func readOnly(_ folder: String) -> Failure {
        Failure(
            .inputOutput,
            "the file system of \(folder) is mounted read-only; mount it for writing (mount -o remount,rw). Nothing was changed")
    }
}
