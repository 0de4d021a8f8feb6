"""BibTeX of the library and of the methods of its systems, by key."""

LIBRARY = """@software{catallax,
  title = {catallax: how much should each part be told?},
  author = {{The catallax authors}},
  version = {VERSION},
  year = {2026}
}"""
REFERENCES = {
    "arrow1954existence": """@article{arrow1954existence,
  author = {Arrow, Kenneth J. and Debreu, Gerard},
  title = {Existence of an Equilibrium for a Competitive Economy},
  journal = {Econometrica}, volume = {22}, number = {3}, pages = {265--290}, year = {1954}
}""",
    "debreu1951coefficient": """@article{debreu1951coefficient,
  author = {Debreu, Gerard},
  title = {The Coefficient of Resource Utilization},
  journal = {Econometrica}, volume = {19}, number = {3}, pages = {273--292}, year = {1951}
}""",
    "shapley1977trade": """@article{shapley1977trade,
  author = {Shapley, Lloyd and Shubik, Martin},
  title = {Trade Using One Commodity as a Means of Payment},
  journal = {Journal of Political Economy}, volume = {85}, number = {5}, pages = {937--968}, year = {1977}
}""",
    "dubey1978theory": """@article{dubey1978theory,
  author = {Dubey, Pradeep and Shubik, Martin},
  title = {A Theory of Money and Financial Institutions: 28. The Non-Cooperative Equilibria of a Closed Trading
           Economy with Market Supply and Bidding Strategies},
  journal = {Journal of Economic Theory}, volume = {17}, number = {1}, pages = {1--20}, year = {1978}
}""",
    "eisenberg1959consensus": """@article{eisenberg1959consensus,
  author = {Eisenberg, Edmund and Gale, David},
  title = {Consensus of Subjective Probabilities: The Pari-Mutuel Method},
  journal = {The Annals of Mathematical Statistics}, volume = {30}, number = {1}, pages = {165--168}, year = {1959}
}""",
    "gode1993allocative": """@article{gode1993allocative,
  author = {Gode, Dhananjay K. and Sunder, Shyam},
  title = {Allocative Efficiency of Markets with Zero-Intelligence Traders: Market as a Partial Substitute for
           Individual Rationality},
  journal = {Journal of Political Economy}, volume = {101}, number = {1}, pages = {119--137}, year = {1993}
}""",
    "budish2011combinatorial": """@article{budish2011combinatorial,
  author = {Budish, Eric},
  title = {The Combinatorial Assignment Problem: Approximate Competitive Equilibrium from Equal Incomes},
  journal = {Journal of Political Economy}, volume = {119}, number = {6}, pages = {1061--1103}, year = {2011}
}""",
    "hart2000simple": """@article{hart2000simple,
  author = {Hart, Sergiu and Mas-Colell, Andreu},
  title = {A Simple Adaptive Procedure Leading to Correlated Equilibrium},
  journal = {Econometrica}, volume = {68}, number = {5}, pages = {1127--1150}, year = {2000}
}""",
    "rosenthal1973class": """@article{rosenthal1973class,
  author = {Rosenthal, Robert W.},
  title = {A Class of Games Possessing Pure-Strategy {Nash} Equilibria},
  journal = {International Journal of Game Theory}, volume = {2}, pages = {65--67}, year = {1973}
}""",
    "cournot1838recherches": """@book{cournot1838recherches,
  author = {Cournot, Antoine Augustin},
  title = {Recherches sur les principes math{\\'e}matiques de la th{\\'e}orie des richesses},
  publisher = {Hachette}, address = {Paris}, year = {1838}
}""",
    "bertrand1883theorie": """@article{bertrand1883theorie,
  author = {Bertrand, Joseph},
  title = {Th{\\'e}orie math{\\'e}matique de la richesse sociale},
  journal = {Journal des Savants}, volume = {67}, pages = {499--508}, year = {1883}
}""",
    "wardrop1952some": """@article{wardrop1952some,
  author = {Wardrop, John Glen},
  title = {Some Theoretical Aspects of Road Traffic Research},
  journal = {Proceedings of the Institution of Civil Engineers}, volume = {1}, pages = {325--362}, year = {1952}
}""",
    "roughgarden2002selfish": """@article{roughgarden2002selfish,
  author = {Roughgarden, Tim and Tardos, {\\'E}va},
  title = {How Bad Is Selfish Routing?},
  journal = {Journal of the ACM}, volume = {49}, number = {2}, pages = {236--259}, year = {2002}
}""",
    "braess1968paradoxon": """@article{braess1968paradoxon,
  author = {Braess, Dietrich},
  title = {{\\"U}ber ein {Paradoxon} aus der {Verkehrsplanung}},
  journal = {Unternehmensforschung}, volume = {12}, pages = {258--268}, year = {1968}
}""",
    "pigou1920economics": """@book{pigou1920economics,
  author = {Pigou, Arthur Cecil},
  title = {The Economics of Welfare},
  publisher = {Macmillan}, address = {London}, year = {1920}
}""",
    "dorigo2004ant": """@book{dorigo2004ant,
  author = {Dorigo, Marco and St{\\"u}tzle, Thomas},
  title = {Ant Colony Optimization},
  publisher = {MIT Press}, address = {Cambridge, MA}, year = {2004}
}""",
    "stuetzle2000maxmin": """@article{stuetzle2000maxmin,
  author = {St{\\"u}tzle, Thomas and Hoos, Holger H.},
  title = {{MAX-MIN} Ant System},
  journal = {Future Generation Computer Systems}, volume = {16}, number = {8}, pages = {889--914}, year = {2000}
}""",
    "skinderowicz2022improving": """@article{skinderowicz2022improving,
  author = {Skinderowicz, Rafa{\\l}},
  title = {Improving Ant Colony Optimization Efficiency for Solving Large {TSP} Instances},
  journal = {Applied Soft Computing}, volume = {120}, pages = {108653}, year = {2022}
}""",
    "lin1965computer": """@article{lin1965computer,
  author = {Lin, Shen},
  title = {Computer Solutions of the Traveling Salesman Problem},
  journal = {Bell System Technical Journal}, volume = {44}, number = {10}, pages = {2245--2269}, year = {1965}
}""",
    "martin1991large": """@article{martin1991large,
  author = {Martin, Olivier and Otto, Steve W. and Felten, Edward W.},
  title = {Large-Step {Markov} Chains for the Traveling Salesman Problem},
  journal = {Complex Systems}, volume = {5}, number = {3}, pages = {299--326}, year = {1991}
}""",
    "held1970traveling": """@article{held1970traveling,
  author = {Held, Michael and Karp, Richard M.},
  title = {The Traveling-Salesman Problem and Minimum Spanning Trees},
  journal = {Operations Research}, volume = {18}, number = {6}, pages = {1138--1162}, year = {1970}
}""",
    "reinelt1991tsplib": """@article{reinelt1991tsplib,
  author = {Reinelt, Gerhard},
  title = {{TSPLIB} -- A Traveling Salesman Problem Library},
  journal = {ORSA Journal on Computing}, volume = {3}, number = {4}, pages = {376--384}, year = {1991}
}""",
    "goss1989selforganized": """@article{goss1989selforganized,
  author = {Goss, Simon and Aron, Serge and Deneubourg, Jean-Louis and Pasteels, Jacques M.},
  title = {Self-Organized Shortcuts in the {Argentine} Ant},
  journal = {Naturwissenschaften}, volume = {76}, pages = {579--581}, year = {1989}
}""",
    "deneubourg1990selforganizing": """@article{deneubourg1990selforganizing,
  author = {Deneubourg, Jean-Louis and Aron, Serge and Goss, Simon and Pasteels, Jacques M.},
  title = {The Self-Organizing Exploratory Pattern of the {Argentine} Ant},
  journal = {Journal of Insect Behavior}, volume = {3}, pages = {159--168}, year = {1990}
}""",
    "resnick1994turtles": """@book{resnick1994turtles,
  author = {Resnick, Mitchel},
  title = {Turtles, Termites, and Traffic Jams: Explorations in Massively Parallel Microworlds},
  publisher = {MIT Press}, address = {Cambridge, MA}, year = {1994}
}""",
    "jones2010characteristics": """@article{jones2010characteristics,
  author = {Jones, Jeff},
  title = {Characteristics of Pattern Formation and Evolution in Approximations of {Physarum} Transport Networks},
  journal = {Artificial Life}, volume = {16}, number = {2}, pages = {127--153}, year = {2010}
}""",
    "condorcet1785essai": """@book{condorcet1785essai,
  author = {de Condorcet, Nicolas},
  title = {Essai sur l'application de l'analyse {\\`a} la probabilit{\\'e} des d{\\'e}cisions rendues
    {\\`a} la pluralit{\\'e} des voix},
  publisher = {Imprimerie Royale}, address = {Paris}, year = {1785}
}""",
    "nitzan1982optimal": """@article{nitzan1982optimal,
  author = {Nitzan, Shmuel and Paroush, Jacob},
  title = {Optimal Decision Rules in Uncertain Dichotomous Choice Situations},
  journal = {International Economic Review}, volume = {23}, number = {2}, pages = {289--297}, year = {1982}
}""",
    "bikhchandani1992theory": """@article{bikhchandani1992theory,
  author = {Bikhchandani, Sushil and Hirshleifer, David and Welch, Ivo},
  title = {A Theory of Fads, Fashion, Custom, and Cultural Change as Informational Cascades},
  journal = {Journal of Political Economy}, volume = {100}, number = {5}, pages = {992--1026}, year = {1992}
}""",
    "feddersen1998convicting": """@article{feddersen1998convicting,
  author = {Feddersen, Timothy and Pesendorfer, Wolfgang},
  title = {Convicting the Innocent: The Inferiority of Unanimous Jury Verdicts under Strategic Voting},
  journal = {American Political Science Review}, volume = {92}, number = {1}, pages = {23--35}, year = {1998}
}""",
    "storkey2011machine": """@inproceedings{storkey2011machine,
  author = {Storkey, Amos},
  title = {Machine Learning Markets},
  booktitle = {Proceedings of the Fourteenth International Conference on Artificial Intelligence and Statistics},
  volume = {15}, pages = {716--724}, year = {2011}
}""",
    "hanson2003combinatorial": """@article{hanson2003combinatorial,
  author = {Hanson, Robin},
  title = {Combinatorial Information Market Design},
  journal = {Information Systems Frontiers}, volume = {5}, number = {1}, pages = {107--119}, year = {2003}
}""",
    "beygelzimer2012learning": """@misc{beygelzimer2012learning,
  author = {Beygelzimer, Alina and Langford, John and Pennock, David},
  title = {Learning Performance of Prediction Markets with {Kelly} Bettors},
  note = {arXiv:1201.6655}, year = {2012}
}""",
    "chen2010gaming": """@article{chen2010gaming,
  author = {Chen, Yiling and Dimitrov, Stanko and Sami, Rahul and Reeves, Daniel M. and Pennock, David M. and
            Hanson, Robin D. and Fortnow, Lance and Gonen, Rica},
  title = {Gaming Prediction Markets: Equilibrium Strategies with a Market Maker},
  journal = {Algorithmica}, volume = {58}, pages = {930--969}, year = {2010}
}""",
    "dimitrov2008nonmyopic": """@inproceedings{dimitrov2008nonmyopic,
  author = {Dimitrov, Stanko and Sami, Rahul},
  title = {Non-Myopic Strategies in Prediction Markets},
  booktitle = {Proceedings of the 9th ACM Conference on Electronic Commerce},
  pages = {200--209}, year = {2008}
}""",
    "breiman2001random": """@article{breiman2001random,
  author = {Breiman, Leo},
  title = {Random Forests},
  journal = {Machine Learning}, volume = {45}, number = {1}, pages = {5--32}, year = {2001}
}""",
    "friedman2001greedy": """@article{friedman2001greedy,
  author = {Friedman, Jerome H.},
  title = {Greedy Function Approximation: A Gradient Boosting Machine},
  journal = {The Annals of Statistics}, volume = {29}, number = {5}, pages = {1189--1232}, year = {2001}
}""",
    "lafferty2001conditional": """@inproceedings{lafferty2001conditional,
  author = {Lafferty, John D. and McCallum, Andrew and Pereira, Fernando C. N.},
  title = {Conditional Random Fields: Probabilistic Models for Segmenting and Labeling Sequence Data},
  booktitle = {Proceedings of the Eighteenth International Conference on Machine Learning},
  pages = {282--289}, year = {2001}
}""",
    "rumelhart1986learning": """@article{rumelhart1986learning,
  author = {Rumelhart, David E. and Hinton, Geoffrey E. and Williams, Ronald J.},
  title = {Learning Representations by Back-Propagating Errors},
  journal = {Nature}, volume = {323}, pages = {533--536}, year = {1986}
}""",
    "lillicrap2016random": """@article{lillicrap2016random,
  author = {Lillicrap, Timothy P. and Cownden, Daniel and Tweed, Douglas B. and Akerman, Colin J.},
  title = {Random Synaptic Feedback Weights Support Error Backpropagation for Deep Learning},
  journal = {Nature Communications}, volume = {7}, pages = {13276}, year = {2016}
}""",
    "nokland2016direct": """@inproceedings{nokland2016direct,
  author = {N{\\o}kland, Arild},
  title = {Direct Feedback Alignment Provides Learning in Deep Neural Networks},
  booktitle = {Advances in Neural Information Processing Systems}, volume = {29}, year = {2016}
}""",
    "frenkel2021learning": """@article{frenkel2021learning,
  author = {Frenkel, Charlotte and Lefebvre, Martin and Bol, David},
  title = {Learning Without Feedback: Fixed Random Learning Signals Allow for Feedforward Training of Deep Neural
           Networks},
  journal = {Frontiers in Neuroscience}, volume = {15}, year = {2021}
}""",
    "nokland2019training": """@inproceedings{nokland2019training,
  author = {N{\\o}kland, Arild and Eidnes, Lars Hiller},
  title = {Training Neural Networks with Local Error Signals},
  booktitle = {Proceedings of the 36th International Conference on Machine Learning}, year = {2019}
}""",
    "lee2015deeply": """@inproceedings{lee2015deeply,
  author = {Lee, Chen-Yu and Xie, Saining and Gallagher, Patrick and Zhang, Zhengyou and Tu, Zhuowen},
  title = {Deeply-Supervised Nets},
  booktitle = {Proceedings of the 18th International Conference on Artificial Intelligence and Statistics},
  year = {2015}
}""",
    "hinton2022forward": """@misc{hinton2022forward,
  author = {Hinton, Geoffrey},
  title = {The Forward-Forward Algorithm: Some Preliminary Investigations},
  year = {2022}, note = {arXiv:2212.13345}
}""",
    "moraitis2022softhebb": """@article{moraitis2022softhebb,
  author = {Moraitis, Timoleon and Toichkin, Dmitry and Journ{\\'e}, Adrien and Chua, Yansong and Guo, Qinghai},
  title = {{SoftHebb}: {Bayesian} Inference in Unsupervised {Hebbian} Soft Winner-Take-All Networks},
  journal = {Neuromorphic Computing and Engineering}, volume = {2}, number = {4}, year = {2022}
}""",
    "journe2023hebbian": """@inproceedings{journe2023hebbian,
  author = {Journ{\\'e}, Adrien and Garcia Rodriguez, Hector and Guo, Qinghai and Moraitis, Timoleon},
  title = {Hebbian Deep Learning Without Feedback},
  booktitle = {International Conference on Learning Representations}, year = {2023}
}""",
    "whittington2017approximation": """@article{whittington2017approximation,
  author = {Whittington, James C. R. and Bogacz, Rafal},
  title = {An Approximation of the Error Backpropagation Algorithm in a Predictive Coding Network with Local {Hebbian}
           Synaptic Plasticity},
  journal = {Neural Computation}, volume = {29}, number = {5}, pages = {1229--1262}, year = {2017}
}""",
    "scellier2017equilibrium": """@article{scellier2017equilibrium,
  author = {Scellier, Benjamin and Bengio, Yoshua},
  title = {Equilibrium Propagation: Bridging the Gap between Energy-Based Models and Backpropagation},
  journal = {Frontiers in Computational Neuroscience}, volume = {11}, year = {2017}
}""",
    "jaderberg2017decoupled": """@inproceedings{jaderberg2017decoupled,
  author = {Jaderberg, Max and Czarnecki, Wojciech Marian and Osindero, Simon and Vinyals, Oriol and Graves, Alex and
            Silver, David and Kavukcuoglu, Koray},
  title = {Decoupled Neural Interfaces using Synthetic Gradients},
  booktitle = {Proceedings of the 34th International Conference on Machine Learning}, year = {2017}
}""",
    "rahimi2007random": """@inproceedings{rahimi2007random,
  author = {Rahimi, Ali and Recht, Benjamin},
  title = {Random Features for Large-Scale Kernel Machines},
  booktitle = {Advances in Neural Information Processing Systems}, volume = {20}, year = {2007}
}""",
    "rozell2008sparse": """@article{rozell2008sparse,
  author = {Rozell, Christopher J. and Johnson, Don H. and Baraniuk, Richard G. and Olshausen, Bruno A.},
  title = {Sparse Coding via Thresholding and Local Competition in Neural Circuits},
  journal = {Neural Computation}, volume = {20}, number = {10}, pages = {2526--2563}, year = {2008}
}""",
    "olshausen1996emergence": """@article{olshausen1996emergence,
  author = {Olshausen, Bruno A. and Field, David J.},
  title = {Emergence of Simple-Cell Receptive Field Properties by Learning a Sparse Code for Natural Images},
  journal = {Nature}, volume = {381}, pages = {607--609}, year = {1996}
}""",
    "hopfield1982neural": """@article{hopfield1982neural,
  author = {Hopfield, John J.},
  title = {Neural Networks and Physical Systems with Emergent Collective Computational Abilities},
  journal = {Proceedings of the National Academy of Sciences}, volume = {79}, pages = {2554--2558}, year = {1982}
}""",
    "ramsauer2021hopfield": """@inproceedings{ramsauer2021hopfield,
  author = {Ramsauer, Hubert and Sch{\\"a}fl, Bernhard and Lehner, Johannes and Seidl, Philipp and Widrich, Michael
            and others},
  title = {Hopfield Networks is All You Need},
  booktitle = {International Conference on Learning Representations}, year = {2021}
}""",
    "mei2018mean": """@article{mei2018mean,
  author = {Mei, Song and Montanari, Andrea and Nguyen, Phan-Minh},
  title = {A Mean Field View of the Landscape of Two-Layer Neural Networks},
  journal = {Proceedings of the National Academy of Sciences}, volume = {115}, number = {33}, year = {2018}
}""",
    "chizat2018global": """@inproceedings{chizat2018global,
  author = {Chizat, L{\\'e}na{\\"i}c and Bach, Francis},
  title = {On the Global Convergence of Gradient Descent for Over-parameterized Models using Optimal Transport},
  booktitle = {Advances in Neural Information Processing Systems}, volume = {31}, year = {2018}
}""",
    "jacobs1991adaptive": """@article{jacobs1991adaptive,
  author = {Jacobs, Robert A. and Jordan, Michael I. and Nowlan, Steven J. and Hinton, Geoffrey E.},
  title = {Adaptive Mixtures of Local Experts},
  journal = {Neural Computation}, volume = {3}, number = {1}, pages = {79--87}, year = {1991}
}""",
    "shazeer2017outrageously": """@inproceedings{shazeer2017outrageously,
  author = {Shazeer, Noam and Mirhoseini, Azalia and Maziarz, Krzysztof and Davis, Andy and Le, Quoc and Hinton,
            Geoffrey and Dean, Jeff},
  title = {Outrageously Large Neural Networks: The Sparsely-Gated Mixture-of-Experts Layer},
  booktitle = {International Conference on Learning Representations}, year = {2017}
}""",
    "fedus2022switch": """@article{fedus2022switch,
  author = {Fedus, William and Zoph, Barret and Shazeer, Noam},
  title = {Switch Transformers: Scaling to Trillion Parameter Models with Simple and Efficient Sparsity},
  journal = {Journal of Machine Learning Research}, volume = {23}, number = {120}, year = {2022}
}""",
    "lewis2021base": """@inproceedings{lewis2021base,
  author = {Lewis, Mike and Bhosale, Shruti and Dettmers, Tim and Goyal, Naman and Zettlemoyer, Luke},
  title = {{BASE} Layers: Simplifying Training of Large, Sparse Models},
  booktitle = {Proceedings of the 38th International Conference on Machine Learning}, year = {2021}
}""",
    "roller2021hash": """@inproceedings{roller2021hash,
  author = {Roller, Stephen and Sukhbaatar, Sainbayar and Szlam, Arthur and Weston, Jason},
  title = {Hash Layers for Large Sparse Models},
  booktitle = {Advances in Neural Information Processing Systems}, volume = {34}, year = {2021}
}""",
    "zhou2022mixture": """@inproceedings{zhou2022mixture,
  author = {Zhou, Yanqi and Lei, Tao and Liu, Hanxiao and Du, Nan and Huang, Yanping and Zhao, Vincent and others},
  title = {Mixture-of-Experts with Expert Choice Routing},
  booktitle = {Advances in Neural Information Processing Systems}, volume = {35}, year = {2022}
}""",
    "wang2024auxiliary": """@misc{wang2024auxiliary,
  author = {Wang, Lean and Gao, Huazuo and Zhao, Chenggang and Sun, Xu and Dai, Damai},
  title = {Auxiliary-Loss-Free Load Balancing Strategy for Mixture-of-Experts},
  year = {2024}, note = {arXiv:2408.15664}
}""",
    "mcmahan2017communication": """@inproceedings{mcmahan2017communication,
  author = {McMahan, Brendan and Moore, Eider and Ramage, Daniel and Hampson, Seth and Ag{\\"u}era y Arcas, Blaise},
  title = {Communication-Efficient Learning of Deep Networks from Decentralized Data},
  booktitle = {Proceedings of the 20th International Conference on Artificial Intelligence and Statistics}, year = {2017}
}""",
    "douillard2023diloco": """@misc{douillard2023diloco,
  author = {Douillard, Arthur and Feng, Qixuan and Rusu, Andrei A. and Chhaparia, Rachita and Donchev, Yani and others},
  title = {{DiLoCo}: Distributed Low-Communication Training of Language Models},
  year = {2023}, note = {arXiv:2311.08105}
}""",
    "xiao2004fast": """@article{xiao2004fast,
  author = {Xiao, Lin and Boyd, Stephen},
  title = {Fast Linear Iterations for Distributed Averaging},
  journal = {Systems \\& Control Letters}, volume = {53}, number = {1}, pages = {65--78}, year = {2004}
}""",
    "koloskova2019decentralized": """@inproceedings{koloskova2019decentralized,
  author = {Koloskova, Anastasia and Stich, Sebastian U. and Jaggi, Martin},
  title = {Decentralized Stochastic Optimization and Gossip Algorithms with Compressed Communication},
  booktitle = {Proceedings of the 36th International Conference on Machine Learning}, year = {2019}
}""",
    "yin2018byzantine": """@inproceedings{yin2018byzantine,
  author = {Yin, Dong and Chen, Yudong and Ramchandran, Kannan and Bartlett, Peter},
  title = {Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates},
  booktitle = {Proceedings of the 35th International Conference on Machine Learning}, year = {2018}
}""",
    "blanchard2017machine": """@inproceedings{blanchard2017machine,
  author = {Blanchard, Peva and El Mhamdi, El Mahdi and Guerraoui, Rachid and Stainer, Julien},
  title = {Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent},
  booktitle = {Advances in Neural Information Processing Systems}, volume = {30}, year = {2017}
}""",
}
