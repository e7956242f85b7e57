// The root of the grammar, and what a command line without a command means.

import ArgumentParser
import DDSCore
import DDSLoop
import DDSNode

struct Root: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "ddsnode",
        abstract: "A private message server, a person's agent, or both.",
        discussion: """
            Without a command, --role runs in the foreground; else the status is shown.

            ddsnode demo                        try it: a node, two members, some mail
            ddsnode init server                 a node of your own
            ddsnode join INVITE                 become a member of somebody's node
            """,
        version: ProgramVersion.text,
        subcommands: [
            InitCommand.self, RunCommand.self, StatusCommand.self, DoctorCommand.self, ReloadCommand.self, StopCommand.self,
            ConfigCommand.self,
            UserCommand.self, GroupCommand.self, InviteCommand.self, QueueCommand.self, SpoolCommand.self, KeyringCommand.self,
            BackupCommand.self, EventsCommand.self, JoinCommand.self, OpenCommand.self, LockCommand.self, UnlockCommand.self,
            FetchCommand.self, NotifyCommand.self, GatewayCommand.self, SendCommand.self, ListCommand.self, SearchCommand.self,
            ShowCommand.self, StoreCommand.self, KeyCommand.self, DeviceCommand.self, RosterCommand.self, ContactCommand.self, DemoCommand.self,
            CompletionCommand.self,
        ])

    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        if globals.role != nil { return try await RunCommand.run(context) }
        guard globals.config != nil || ConfigFile(options: globals).exists else {
            context.output.complain("nothing is set up here yet (no \(ConfigFile.standardPath)). To begin:")
            Output.write(
                """
                  ddsnode demo            try it: a node, two members, some mail
                  ddsnode init server     a node of your own
                  ddsnode join INVITE     become a member of somebody's node

                """, to: 2)
            return Failure.Code.notRunning.rawValue
        }
        return try await StatusCommand.show(context)
    }
}
