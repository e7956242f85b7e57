// What is guessed first: passwords that everybody knows, then words of everyday, in the order in which somebody who guesses would
// take them. Written down for this program; how a match is weighed is decided in PassphraseStrength.

enum PassphraseWords {
    /// In small letters; the first is guessed first.
    static let ranked: [ArraySlice<UInt8>] = Array(text.utf8).split { $0 == 0x20 || $0 == 0x0a }

    private static let text = """
        123456 password 123456789 12345678 12345 qwerty 1234567 111111 123123 abc123 1234567890 password1 iloveyou 1234 000000
        qwerty123 1q2w3e4r admin letmein welcome monkey dragon sunshine princess football baseball master shadow superman
        michael ashley bailey passw0rd trustno1 hello freedom whatever qazwsx jordan harley hunter buster soccer batman andrew
        tigger charlie robert thomas hockey ranger daniel starwars george computer michelle jessica pepper zxcvbn klaster
        112233 121212 666666 777777 654321 696969 pass test secret login root user guest default changeme changeit letmein1
        access love sexy lovely flower hottie loveme jennifer joshua maggie summer winter spring autumn matthew nicole amanda
        samantha anthony justin heather richard william internet cheese killer matrix orange banana purple yellow silver
        golden diamond cookie chocolate coffee peanut ginger passwort hallo schatz ficken hallo123 geheim sommer winter2020
        motdepasse bonjour soleil azerty contrasena hola amor teamo senha brasil ciao juventus parola haslo polska kochamie
        natasha gfhjkm qwertyuiop asdfghjkl zaq12wsx q1w2e3r4 asdf asdfgh zxcvbnm pokemon naruto liverpool chelsea arsenal
        barcelona realmadrid manchester mustang ferrari porsche corvette yamaha harleydavidson blink182 metallica nirvana
        slipknot eminem minecraft fortnite google facebook youtube twitter instagram samsung iphone android windows linux
        ubuntu debian apple microsoft server network router system manager office business company money market the and that
        have for not with you this but his from they say her she will one all would there their what out about who get which
        when make can like time just him know take people into year your good some could them see other than then now look
        only come its over think also back after use two how our work first well way even new want because any these give day
        most are was were been has had did said each many must more very man men woman women child children boy girl life
        world school state family student group country problem hand part place case week program question government number
        night point home water room mother father area story fact month lot right study book eye job word issue side kind head
        house service friend power hour game line end member law car city community name president team minute idea kid body
        information parent face others level door health person art war history party result change morning reason research
        moment air teacher force education foot age policy music mind process sense nation plan college interest death
        experience effect class control care field development role effort rate heart drug show leader light voice wife police
        report price road news paper building ground action model season society tax director position player record space
        table court oil half situation cost industry figure street image phone data picture practice piece land product doctor
        wall patient worker north south east west movie bank star dog cat horse bird fish cow pig sheep goat duck chicken lion
        tiger bear wolf fox deer rabbit mouse rat snake frog turtle elephant giraffe zebra donkey camel whale dolphin shark
        eagle owl swan crow dove bee ant spider fly tree grass leaf seed fruit berry cherry grape lemon lime melon peach pear
        plum strawberry onion garlic potato tomato carrot cabbage salt sugar bread butter milk egg meat soup rice cake pie
        pizza pasta beer wine whisky tea juice kitchen bedroom bathroom garden garage roof floor window chair desk bed sofa
        lamp mirror clock key lock box bag bottle cup glass plate bowl knife fork spoon pen pencil ink letter card stamp
        ticket map flag coin gold iron steel copper stone rock sand mountain hill valley river lake sea ocean beach island
        forest desert farm village town bridge castle church tower temple palace prison hospital station airport train bus
        plane ship boat bike truck wheel engine motor battery staple correct wire cable radio camera screen keyboard laptop
        printer machine robot rocket moon sun earth sky cloud rain snow ice wind storm thunder lightning fire smoke dust mud
        heat cold warm hot cool red blue green black white brown pink gray grey dark bright big small large little long short
        tall high low deep wide narrow thick thin heavy fast slow quick easy hard soft loud quiet clean dirty wet dry full
        empty open closed rich poor young old happy sad angry tired hungry thirsty sick healthy strong weak brave smart clever
        stupid funny crazy nice cruel beautiful ugly pretty lucky free safe true false real fake great best better worst bad
        run walk jump swim climb fall sit stand sleep wake eat drink cook wash drive ride fight win lose play sing dance draw
        write read speak talk listen hear watch touch smell taste feel hope wish dream fear hate laugh cry smile kiss hug
        marry born die live kill buy sell pay send bring carry push pull throw catch hold drop break fix build cut burn freeze
        melt grow plant pick january february march april may june july august september october november december monday
        tuesday wednesday thursday friday saturday sunday today tomorrow yesterday always never forever again maybe please
        thanks thank goodbye sorry yes okay zero three four five six seven eight nine ten eleven twelve hundred thousand
        million king queen prince knight magic wizard witch ghost angel devil god jesus christ heaven hell lord saint soul
        spirit peter paul john james david mark luke adam eva eve anna maria mary sarah laura julia sophie emma lena lisa
        lucas leon max felix simon martin stefan christian alexander sebastian florian tobias markus jan tim tom ben jack
        harry oscar bob alice carol dave eric frank grace henry ivan judy kevin linda nancy oliver patrick quentin rachel
        steve susan victor wendy zoe jose juan carlos luis ana pierre jean marie claire giovanni marco giulia ivanov olga
        sergey elena london paris berlin madrid rome vienna zurich moscow tokyo york boston chicago texas california america
        england germany france spain italy russia china japan india europe africa der das und ich wir ihr sie nicht ist mit
        auf haus baum hund katze liebe leben sonne mond stern wasser feuer erde luft mutter vater bruder schwester freund
        arbeit schule auto stadt berg fluss meer wald blume apfel brot kaffee tisch stuhl amour vie maison chat chien lune mer
        terre feu eau amigo casa perro gato vida sol luna mar tierra fuego agua house1 mail email node ddsnode message private
        public vault passphrase password2 recovery account address security computer1
        """
}
