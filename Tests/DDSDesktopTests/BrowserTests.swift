// Which program opens the page, with which words.

import DDSCore
import Testing

@testable import DDSDesktop

private let url = "http://ddsnode.localhost:7381/open/abc"

private func installed(_ programs: String...) -> (String) -> String? {
    { programs.contains($0) ? "/usr/bin/\($0)" : nil }
}

@Suite struct BrowserTests {
    @Test func privateWindow_isThePreferredBrowsers() throws {
        let find = installed("chromium", "firefox")
        let first = try Browser.start(url, in: .privately, preferred: nil, find: find)
        #expect(first.words == ["chromium", "--incognito", url])
        let firefox = try Browser.start(url, in: .privately, preferred: "firefox.desktop", find: find)
        #expect(firefox.program == "/usr/bin/firefox")
        #expect(firefox.words == ["firefox", "--private-window", url])
        let edge = try Browser.start(url, in: .privately, preferred: nil, find: installed("microsoft-edge"))
        #expect(edge.words[1] == "--inprivate")
    }

    @Test func appWindow_isOfTheChromiumFamilyAndWritesIntoItsFolderOnly() throws {
        let start = try Browser.start(
            url, in: .app(folder: "/run/user/1/x"), preferred: "firefox", find: installed("firefox", "google-chrome"))
        #expect(start.program == "/usr/bin/google-chrome")
        #expect(start.words.contains("--app=\(url)"))
        #expect(start.words.contains("--user-data-dir=/run/user/1/x/profile"))
        for name in ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
            #expect(start.environment[name]?.hasPrefix("/run/user/1/x") == true, "\(name)")
        }
    }

    @Test func noBrowser_theRefusalNamesWhatWasLookedFor() {
        let failure = #expect(throws: Failure.self) {
            try Browser.start(url, in: .app(folder: "/x"), preferred: nil, find: installed("firefox"))
        }
        #expect(failure?.publicText.contains("Chromium, Google Chrome, Brave") == true)
        #expect(failure?.publicText.contains("Firefox") == false, "it has no such windows")
        #expect(failure?.publicText.contains("ddsnode open --print-url") == true)
    }

    @Test func underAServiceManager_theBrowserIsNoChild() {
        let all = installed("xdg-open", "systemd-run", "setsid")
        func words(isService: Bool, hasDisplay: Bool, _ find: (String) -> String?) -> [String]? {
            PageOpener.words(url, isService: isService, hasDisplay: hasDisplay, find: find)
        }
        #expect(
            words(isService: true, hasDisplay: false, all)
                == ["/usr/bin/systemd-run", "--user", "--collect", "--quiet", "--", "/usr/bin/xdg-open", url])
        #expect(words(isService: false, hasDisplay: true, all) == ["/usr/bin/setsid", "--fork", "/usr/bin/xdg-open", url])
        #expect(words(isService: false, hasDisplay: false, all) == nil)
        #expect(words(isService: false, hasDisplay: true, installed("setsid")) == nil)
    }
}
