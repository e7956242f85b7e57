// The page's one style sheet: system font, one accent, hairlines, dark and light, from 320 pixels up. At most 16 KiB.

enum Style {
    static let text = #"""
        :root{color-scheme:light dark;--bg:light-dark(#f6f6f4,#16181d);--surface:light-dark(#fff,#1c1f26);--ink:light-dark(#1c2026,#e4e7ec);
        --soft:light-dark(#5a626e,#9ba4b1);--line:light-dark(#e2e3e6,#2c313a);--hover:light-dark(#f1f3f6,#232730);
        --accent:light-dark(#2f5bd0,#8fb0ff);--on-accent:light-dark(#fff,#10182b);--tint:light-dark(#e9effc,#232d45);
        --warn:light-dark(#8a4b00,#f0b866);--warn-bg:light-dark(#fdf3e2,#2e2618);--bad:light-dark(#b3261e,#ff9d94);--bad-bg:light-dark(#fdeceb,#35201f);
        --radius:6px;--row:44px;--hue:var(--soft)}
        :root[data-theme=light]{color-scheme:light}:root[data-theme=dark]{color-scheme:dark}
        :root[data-density=compact]{--row:32px}
        @media(prefers-contrast:more){:root{--line:currentColor;--soft:var(--ink)}}
        *,*::before,*::after{box-sizing:border-box}
        html{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;-webkit-text-size-adjust:100%}
        body{margin:0;background:var(--bg);color:var(--ink);overflow-wrap:anywhere}
        a{color:var(--accent);text-decoration:none}
        a:hover{text-decoration:underline}
        :focus-visible{outline:2px solid var(--accent);outline-offset:2px}
        h1{font-size:20px;line-height:28px;font-weight:650;margin:0;letter-spacing:-.01em}
        h2{font-size:12px;line-height:16px;font-weight:600;color:var(--soft);margin:20px 12px 4px;letter-spacing:.02em}
        p{margin:0 0 12px}
        small{font-size:13px;color:var(--soft)}
        ul{list-style:none;margin:0;padding:0}
        kbd{font:12px/16px ui-monospace,monospace;color:var(--soft);border:1px solid var(--line);border-radius:4px;padding:0 4px;margin-left:4px}
        code{font:13px ui-monospace,monospace}
        summary{cursor:pointer}
        form{margin:0}
        [hidden]{display:none!important}
        .sr,.skip:not(:focus){position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
        .skip:focus{position:absolute;z-index:9;left:8px;top:8px;background:var(--surface);padding:8px 12px;border-radius:var(--radius)}
        html:not(.scripted) .js{display:none}
        .grow{flex:1}
        .sign{width:16px;height:16px;vertical-align:-3px;fill:none;stroke:currentColor;stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}
        .soft,.hint{color:var(--soft)}
        .hint{font-size:13px;line-height:20px;margin:0}
        .warn{color:var(--warn)}
        button,.button{font:inherit;line-height:20px;color:var(--ink);background:var(--surface);border:1px solid var(--line);border-radius:var(--radius);
        padding:7px 12px;min-height:36px;cursor:pointer;display:inline-block;max-width:100%;text-align:center}
        button:hover,.button:hover{background:var(--hover);text-decoration:none}
        .primary,.primary:hover{background:var(--accent);border-color:var(--accent);color:var(--on-accent);font-weight:600}
        .primary:hover{filter:brightness(1.08)}
        .primary kbd{color:inherit;border-color:currentColor;opacity:.9;font-weight:400}
        .quiet{border-color:transparent;background:none;color:var(--soft)}
        .danger:hover{color:var(--bad)}
        .wide{width:100%;min-height:44px}
        button:disabled{opacity:.6;cursor:default}
        input:not([type=checkbox],[type=radio],[type=file]),textarea{font:inherit;color:inherit;background:var(--surface);border:1px solid var(--line);
        border-radius:var(--radius);padding:8px 12px;width:100%;min-height:40px}
        input[type=file]{font:inherit;font-size:13px;color:var(--soft);max-width:100%;min-width:0}
        input[type=file]::file-selector-button{font:inherit;font-size:14px;color:var(--ink);background:var(--surface);border:1px solid var(--line);border-radius:var(--radius);padding:5px 12px;margin-right:8px}
        input:is([type=checkbox],[type=radio]){accent-color:var(--accent);width:16px;height:16px;margin:0;vertical-align:-2px}

        .bar{position:sticky;top:0;z-index:5;display:flex;align-items:center;gap:4px;height:52px;padding:0 12px 0 20px;background:var(--surface);border-bottom:1px solid var(--line)}
        .brand{font-weight:700;letter-spacing:.02em;color:var(--ink)}
        .brand:hover{text-decoration:none}
        .gem{color:var(--accent)}
        .find{flex:1;min-width:0;max-width:480px;margin:0 auto;padding-left:8px}
        .actions+.rows{margin-top:12px}
        .bar .find input{min-height:36px;padding:5px 12px}
        mark{background:var(--tint);color:var(--ink);font-weight:600;border-radius:2px}
        dt button{text-align:left}
        .burger,.shut{display:none}
        .columns{display:grid;grid-template-columns:232px minmax(0,1fr);max-width:1280px;margin:0 auto}
        nav{padding:16px 8px;position:sticky;top:52px;align-self:start;max-height:calc(100vh - 52px);overflow:auto}
        nav .write{display:flex;align-items:center;gap:8px;margin:0 4px 12px;padding:0 14px;height:44px;border-radius:var(--radius);background:var(--accent);color:var(--on-accent);font-weight:600}
        nav .write kbd{margin-left:auto;color:inherit;border-color:currentColor;opacity:.9;font-weight:400}
        nav li a{display:flex;align-items:center;gap:8px;min-height:36px;padding:4px 12px;border-radius:var(--radius);color:var(--ink)}
        nav li a:hover{background:var(--hover);text-decoration:none}
        nav a[aria-current]{background:var(--tint);font-weight:600}
        nav .muted{color:var(--soft)}
        nav p.hint{margin:0 12px}
        .count{margin-left:auto;font-size:13px;font-weight:600;color:var(--accent);font-variant-numeric:tabular-nums}
        .muted .count{color:var(--soft);font-weight:400}
        .hue{flex:none;display:inline-block;width:10px;height:10px;border-radius:3px;background:var(--hue)}
        main{min-width:0;padding:16px 20px 40px;background:var(--surface);border-left:1px solid var(--line);min-height:calc(100vh - 92px)}
        main:focus{outline:none}
        .tools{display:flex;align-items:center;flex-wrap:wrap;gap:8px;min-height:44px;margin-bottom:8px}
        .tools h1{display:flex;align-items:center;gap:8px;min-width:0}
        .tools button{font-size:14px;padding:5px 10px;min-height:32px}
        .menu{position:relative}
        .menu>summary{list-style:none;border:1px solid var(--line);border-radius:var(--radius);padding:5px 10px;font-size:14px;line-height:20px}
        .menu>summary::after{content:" ▾"}
        .menu>div{position:absolute;right:0;top:100%;z-index:4;display:grid;min-width:220px;padding:4px;background:var(--surface);border:1px solid var(--line);border-radius:var(--radius);box-shadow:0 4px 16px rgb(0 0 0/.15)}
        .menu button,.menu .button{border:0;text-align:left;color:var(--ink)}
        .tools form{display:flex;flex-wrap:wrap;gap:8px}
        .star{color:var(--warn)}
        .notice,.newmail a{display:block;padding:10px 14px;border-radius:var(--radius);background:var(--tint);margin-bottom:12px}
        .newmail{margin:0}
        .newmail a{text-align:center;font-weight:600}
        .notice{display:flex;flex-wrap:wrap;align-items:center;gap:4px 16px}
        .notice button{padding:3px 10px;min-height:28px}
        .notice.bad{background:var(--bad-bg);color:var(--bad)}
        .state{display:flex;flex-wrap:wrap;gap:4px 8px;justify-content:center;min-height:40px;align-items:center;padding:8px 20px;border-top:1px solid var(--line);font-size:13px;color:var(--soft)}
        .state strong{color:var(--bad);font-weight:600;width:100%;text-align:center}

        .row{display:flex;align-items:center;min-height:var(--row);border-top:1px solid var(--line);margin:0 -20px}
        .row:hover{background:var(--hover)}
        .row:focus-within{background:var(--hover)}
        .pages{border-top:1px solid var(--line)}
        .pick{display:flex;align-items:center;justify-content:center;width:44px;height:var(--row);flex:none;margin-left:8px}
        .row>a{flex:1;min-width:0;display:grid;grid-template-columns:14px 168px minmax(0,1fr) auto 76px;gap:0 8px;align-items:baseline;padding:calc(var(--row)/2 - 11px) 20px calc(var(--row)/2 - 11px) 0;color:inherit}
        .row>a:hover{text-decoration:none}
        .row>a>*{white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
        .row .dot{align-self:center}
        .unread .dot,.message .dot{display:block;width:8px;height:8px;border-radius:50%;background:var(--accent);overflow:visible}
        .message .dot{display:inline-block;flex:none}
        .unread .from,.unread .subject{font-weight:650}
        .snippet{color:var(--soft)}
        .snippet::before{content:"— "}
        .row.muted{color:var(--soft)}
        .tags{display:flex;gap:8px;font-size:13px;color:var(--soft);align-items:baseline}
        .tag{color:var(--hue)}
        .row time{text-align:right;font-size:13px;color:var(--soft);font-variant-numeric:tabular-nums}
        .unread time{color:var(--accent)}
        .pages{display:flex;gap:16px;justify-content:center;padding:16px 0 0;margin:0 -20px;color:var(--soft);font-size:13px}
        .sent{font-size:13px;color:var(--soft);white-space:nowrap}
        .sent.failed{color:var(--bad);font-weight:600}
        .empty{text-align:center;padding:72px 16px;color:var(--soft)}
        .empty .big,.empty h1{font-size:20px;font-weight:650;color:var(--ink);margin-bottom:4px}
        .empty a{margin-top:8px}

        .thread{max-width:80ch}
        .thread>h1{font-size:24px;line-height:32px;margin-bottom:8px}
        .band{border-left:3px solid var(--hue)}
        .readers{padding:2px 0 2px 12px;margin-bottom:16px;color:var(--soft);font-size:14px}
        .readers strong{color:var(--hue)}
        .readers ul{padding:4px 0}
        .message{border-top:1px solid var(--line)}
        .message>summary{display:flex;align-items:baseline;gap:8px;min-height:var(--row);padding:11px 0;list-style:none}
        .message>summary::-webkit-details-marker{display:none}
        .name{font-weight:650;flex:none;max-width:45%;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
        .address,.preview{color:var(--soft);overflow:hidden;text-overflow:ellipsis;white-space:nowrap;min-width:0}
        .address{flex:0 1 auto;font-size:13px}
        .preview{flex:1 1 0}
        .message[open]>summary .preview{visibility:hidden}
        .message time{font-size:13px;color:var(--soft);white-space:nowrap;font-variant-numeric:tabular-nums}
        .depth1{margin-left:16px}.depth2{margin-left:32px}.depth3{margin-left:48px}
        .body{max-width:72ch}
        .text{white-space:pre-wrap;unicode-bidi:plaintext;margin:0 0 12px}
        .signature{color:var(--soft);font-size:14px}
        .quote{margin:0 0 12px;color:var(--soft);font-size:14px}
        .quote>summary,.more>summary{color:var(--soft);font-size:13px;display:inline-block;padding:4px 0;list-style:none}
        .quote>summary::before,.more>summary::before{content:"▸ "}
        .quote[open]>summary::before,.more[open]>summary::before{content:"▾ "}
        blockquote{margin:4px 0 0;padding-left:12px;border-left:2px solid var(--line)}
        .more{margin-bottom:12px}
        dl{display:grid;grid-template-columns:auto minmax(0,1fr);gap:4px 16px;margin:4px 0;font-size:13px;color:var(--soft)}
        dd{margin:0;color:var(--ink)}
        .mark{background:var(--warn-bg);color:var(--warn);border-radius:var(--radius);padding:6px 12px;font-size:14px;margin-bottom:8px}
        .mark.info{background:none;color:var(--soft);padding:0}
        .formatted{display:block;width:100%;height:60vh;min-height:200px;resize:vertical;overflow:auto;border:1px solid var(--line);border-radius:var(--radius);background:#fff;margin:0 0 12px}
        .picture{width:100%}.picture img{display:block;max-width:320px;max-height:240px;border:1px solid var(--line);border-radius:var(--radius)}
        .source{font:13px/1.5 ui-monospace,monospace;overflow-wrap:anywhere}
        .files li{display:flex;flex-wrap:wrap;align-items:baseline;gap:4px 8px;padding:6px 0;font-size:14px}
        .filename b{font-weight:650}
        .answer{display:flex;flex-wrap:wrap;gap:8px;padding:4px 0 16px}
        .message:not(:last-of-type) .answer button{border:0;background:none;color:var(--soft);font-size:13px;font-weight:400;padding:2px 8px 2px 0;min-height:28px}
        .hued{border-color:var(--hue);color:var(--hue);font-weight:600}
        .message,.divider{scroll-margin-top:60px}
        .divider{display:flex;align-items:center;gap:12px;color:var(--accent);font-size:13px;font-weight:600;margin:8px 0}
        .divider::before,.divider::after{content:"";flex:1;border-top:1px solid currentColor;opacity:.5}

        .tabs{display:flex;flex-wrap:wrap;gap:0 20px}
        .tabs,.foot{margin:12px 0}
        .tabs a{padding:8px 0;color:var(--soft)}
        .tabs [aria-current]{color:var(--ink);box-shadow:0 2px var(--accent)}
        fieldset,legend{border:0;padding:0;margin:0 0 12px}
        .person input{max-width:420px}
        [data-keys=off] :is(a,button)>kbd{display:none}
        .person section{margin:0 0 24px}
        .person h2{font-size:16px;margin:0 0 4px}
        .words{font-size:18px;font-weight:600;margin:0}
        .code{width:160px;height:160px;fill:#000}.code .paper{fill:#fff}

        .compose{max-width:80ch;display:grid;gap:12px}
        .line{display:grid;grid-template-columns:72px minmax(0,1fr);gap:4px 8px;align-items:center}
        .line label{color:var(--soft);font-size:14px}
        .audience{grid-column:2;font-size:13px;color:var(--soft)}
        .paper{border-radius:0 var(--radius) var(--radius) 0}
        .paper textarea{display:block;border-left:0;border-radius:0 var(--radius) var(--radius) 0;resize:vertical;min-height:300px;line-height:24px;unicode-bidi:plaintext}
        .actions{display:flex;flex-wrap:wrap;gap:8px}
        .problems{background:var(--bad-bg);color:var(--bad);border-radius:var(--radius);padding:12px 16px}
        .problems p{margin:0;font-weight:600}
        .problems a{color:inherit;text-decoration:underline}
        .problems button{margin-top:8px}

        .alone{min-height:100vh;display:grid;place-items:center;padding:16px}
        .card{border:1px solid var(--line);border-radius:12px;padding:32px;width:100%;max-width:420px;min-height:0}
        .card .brand{margin-bottom:20px}
        .card h1{font-size:24px;line-height:32px;margin-bottom:4px}
        .card .who{color:var(--soft)}
        .card form{margin:16px 0}
        .card label{font-size:14px;font-weight:600}
        .card .field{position:relative;margin:4px 0}
        .card .field input{padding-right:72px;min-height:44px}
        .card .field button{position:absolute;right:4px;top:4px}
        .card #caps{min-height:24px}
        .card details{margin-top:12px;font-size:14px}
        .card details p{margin-top:4px}
        dialog{color:inherit;background:var(--surface);border:1px solid var(--line);border-radius:12px;padding:24px;max-width:min(420px,calc(100vw - 32px))}
        dialog::backdrop{background:rgb(0 0 0/.4)}
        dialog h2{font-size:18px;line-height:24px;color:var(--ink);margin:0 0 12px}
        dialog table{border-spacing:0 6px;margin-bottom:12px}
        dialog th{text-align:left;padding-right:16px;white-space:nowrap}
        dialog label{font-size:14px}

        .hue0{--hue:light-dark(#2f5bd0,#8fb0ff)}.hue1{--hue:light-dark(#0f7b6c,#5fcfbd)}.hue2{--hue:light-dark(#a2480f,#f0a06a)}.hue3{--hue:light-dark(#7a3fb8,#c9a3f5)}.hue4{--hue:light-dark(#a32c5d,#f495bd)}.hue5{--hue:light-dark(#4b6b00,#b3d26b)}.hue6{--hue:light-dark(#0b6f93,#74c7e8)}.hue7{--hue:light-dark(#7a5b00,#dfc06a)}

        @media(min-width:721px){.phoneonly{display:none}}
        @media(max-width:1000px){.row>a{grid-template-columns:14px 128px minmax(0,1fr) auto 68px}}
        @media(max-width:720px){
        .columns{display:block}
        .burger{display:block;padding:8px 12px 8px 0;color:var(--ink);font-size:18px}
        .bar{padding:0 4px 0 16px}
        .help{display:none}
        kbd,.wideonly{display:none!important}
        .tools h1{flex:1}
        nav{display:none;position:fixed;inset:0;z-index:8;max-height:none;background:var(--bg);padding:12px}
        nav:target{display:block}
        nav li a{min-height:44px}
        .shut{display:block;text-align:right;padding:8px 12px}
        main{border:0;padding:8px 16px 32px}
        .tools button{min-height:36px}
        .row,.pages{margin:0 -16px}
        .pick{margin-left:0;align-self:flex-start}
        .row>a{grid-template:"dot from time" auto "dot what what" auto "dot tags tags" auto/14px minmax(0,1fr) auto;padding:10px 16px 10px 0}
        .row .dot{grid-area:dot;align-self:start;margin-top:7px}.row .from{grid-area:from}.row time{grid-area:time}.row .what{grid-area:what}.row .tags{grid-area:tags}
        .tags:empty{display:none}
        .address{display:none}
        .message[open]>summary{flex-wrap:wrap}
        .message[open]>summary .preview{display:none}
        .message[open]>summary .address{display:block;order:9;width:100%}
        .message[open]>summary .name{flex:1;max-width:none}
        .depth1,.depth2,.depth3{margin-left:8px}
        .line{grid-template-columns:minmax(0,1fr)}
        .audience{grid-column:1}
        .card{border:0;padding:16px 4px;background:none}
        .alone{place-items:start center}
        }
        @media(forced-colors:active){.dot,.hue{background:CanvasText!important;forced-color-adjust:none}nav a[aria-current]{outline:1px solid}}
        .paper main{max-width:80ch;margin:0 auto;border:0}.paper .message{padding:12px 0;break-inside:avoid-page}.paper h2{font-size:15px;color:var(--ink);margin:0}
        @media print{:root{color-scheme:light}body{background:none}.bar,nav,.state,.tools,.answer,.more,dialog{display:none!important}.columns{display:block}main{border:0}}

        """#
}
