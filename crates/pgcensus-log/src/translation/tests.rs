//! Each language against the English it stands for.
use super::*;

fn rewrite(languages: &[&'static str], shape: Shape, text: &str) -> String {
    let mut rewriter = Rewriter::new(Translation::of(languages), shape);
    String::from_utf8(rewriter.whole(text.as_bytes())).expect("UTF-8")
}

#[test]
fn messages_and_labels_become_english() {
    let rows = [
        (
            "de",
            "t [1] LOG:  Verbindung empfangen: Host=::1 Port=5\n",
            "t [1] LOG:  connection received: host=::1 port=5\n",
        ),
        (
            "fr",
            "t [1] LOG:  déconnexion : durée de la session : 0:00:00.021\n\tutilisateur=a base=b hôte=h port=5\nx\n",
            "t [1] LOG:  disconnection: session time: 0:00:00.021 user=a database=b host=h port=5\nx\n",
        ),
        (
            "ja",
            "t LOG:  接続の認証完了: ユーザー=a データベース=b application_name=c SSL有効(プロトコル=TLSv1.3、暗号化方式=X、ビット長=256)\n",
            "t LOG:  connection authorized: user=a database=b application_name=c SSL enabled (protocol=TLSv1.3, cipher=X, bits=256)\n",
        ),
        (
            "ru",
            "t ВАЖНО:  база данных \"x\" не существует\n",
            "t FATAL:  database \"x\" does not exist\n",
        ),
        (
            "ru",
            "t SOOBSHHENIE:  otklyuchenie: vremya seansa: 0:00:03.259 pol`zovatel`=a baza danny`x=b komp`yuter=h port=1\n",
            "t LOG:  disconnection: session time: 0:00:03.259 user=a database=b host=h port=1\n",
        ),
        (
            "ja",
            "t LOG:  ?????: ???????: 0:00:03.237 ????=a ??????=b ???=h port=1\n",
            "t LOG:  disconnection: session time: 0:00:03.237 user=a database=b host=h port=1\n",
        ),
    ];
    for (language, text, expected) in rows {
        assert_eq!(
            rewrite(&[language], Shape::Stderr, text),
            expected,
            "{language}"
        );
    }
}
